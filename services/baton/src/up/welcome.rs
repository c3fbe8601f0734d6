//! What a person sees when Baton has started.

use std::path::Path;

use super::seed;

const USUAL_FOLDER: &str = "./baton-data";

/// Prints where it listens, and what to try. The first line is for programs, too: it ends with the address.
pub(super) fn print(address: &str, folder: &Path, with_demo_tenant: bool) {
    println!("Baton listens on {address}");
    println!("  data folder   {}", folder.display());
    if with_demo_tenant {
        println!("  demo tenant   {} (Ada, Ben, Cleo, Dan; number {})", seed::TENANT, seed::NUMBER);
        println!();
        println!("Try, each in a terminal of its own:");
        for command in commands(folder) {
            println!("  {command}");
        }
        println!();
    }
    println!("Ctrl-C ends it, and the calls that are live; started again, everything else is still there.");
}

fn commands(folder: &Path) -> [String; 3] {
    let usual = folder == Path::new(USUAL_FOLDER);
    let data = if usual { String::new() } else { format!(" --data {}", quoted(&folder.display().to_string())) };
    [
        format!("baton agent connect Ada Ben{data}        # two agents can take calls now"),
        format!("baton call place{data}                   # a customer calls; Ada's phone answers by itself"),
        format!("baton transfer start --to Ben{data}      # Ada hands the customer over"),
    ]
}

/// As a shell takes it.
fn quoted(text: &str) -> String {
    let plain = |it: char| it.is_ascii_alphanumeric() || "/._-+".contains(it);
    if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_folder_is_not_named() {
        assert!(!commands(Path::new(USUAL_FOLDER))[0].contains("--data"));
        assert!(commands(Path::new("/tmp/x"))[0].contains("--data /tmp/x"));
    }

    #[test]
    fn a_shell_takes_a_name_as_it_is() {
        assert_eq!(quoted("/tmp/a-b"), "/tmp/a-b");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
