#!/bin/sh
# Makes the secrets that docker-compose.yml mounts, in ./secrets, unless they are there already.
set -eu
cd "$(dirname "$0")/.."
# Compose mounts the files as they are, and the processes in the containers are neither root nor you:
# so the files are readable, and the directory lets nobody but you in.
umask 022
mkdir -p secrets
chmod 700 secrets

random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

# All or none: a password without its URL would lock everybody out of the database.
if [ ! -e secrets/database-url ]; then
    password=$(random)
    printf '%s' "$password" >secrets/postgres-password
    printf 'postgres://stepwell:%s@postgres:5432/stepwell' "$password" >secrets/database-url
fi
if [ ! -e secrets/master-key ]; then
    random >secrets/master-key
fi
echo 'The secrets are in ./secrets. Keep a copy of master-key apart from the backups of the database.'
