class Catalogue:
    def __init__(self, c):
        from generator.contract import DATA, event_name
        class X:
            pass
        self.events=[]
        for f in c.pool.FindMessageTypeByName(DATA).fields:
            x=X(); x.name=event_name(f); self.events.append(x)
