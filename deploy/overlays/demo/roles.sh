#!/bin/bash
# PostgreSQL's image runs this once, on an empty volume: the database, and the two roles that Baton has on it. `baton migrate` owns the tables;
# the services use them and can't change them.
set -e
passwords="${PASSWORDS:-/etc/postgresql-passwords}"
psql --set ON_ERROR_STOP=1 --no-psqlrc --username "${POSTGRES_USER:-postgres}" --dbname postgres \
    --set owner="$(cat "$passwords/baton_owner")" --set services="$(cat "$passwords/baton_services")" << 'SQL'
CREATE ROLE baton_owner LOGIN PASSWORD :'owner';
CREATE ROLE baton_services LOGIN PASSWORD :'services';
CREATE DATABASE baton OWNER baton_owner TEMPLATE template0 LOCALE 'C' ENCODING 'UTF8';
REVOKE ALL ON DATABASE baton FROM PUBLIC;
GRANT CONNECT ON DATABASE baton TO baton_services;
SQL
