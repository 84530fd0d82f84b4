-- fp_store     one row: which boot the store's clock is anchored to, the last fence given out
-- fp_message   the ledger: one row for each dedupe key, kept after its work is done
-- fp_delivery  one row for each handler a message goes to; the lease lives here
-- fp_worker    one row for each living worker process; see alive.py
--
-- Times are milliseconds on the store's clock (Unix time that does not step; anchor.py).
-- AUTOINCREMENT everywhere: SQLite would give the number of a deleted last row out again.

create table fp_store (
  one integer primary key check (one = 1),
  boot_id text not null,
  boot_offset_ms integer not null,
  last_fence integer not null check (last_fence >= 0)
) strict;

create table fp_message (
  id integer primary key autoincrement,
  scope text not null,
  source text,
  key text,
  event text not null,
  headers text not null,
  body blob,
  body_sha256 blob not null,
  received_at_ms integer not null,
  keep_ms integer not null
) strict;

create unique index fp_message_key on fp_message (scope, key) where key is not null;

create table fp_delivery (
  id integer primary key autoincrement,
  message_id integer not null references fp_message (id),
  queue text not null,
  lane text,
  held integer not null default 0 check (held in (0, 1)), -- behind an older one of its lane
  priority integer not null,
  state text not null check (state in ('ready', 'leased', 'done', 'dead', 'cancelled')),
  due_at_ms integer, -- not before; null: now
  attempt integer not null default 0 check (attempt >= 0),
  max_attempts integer not null check (max_attempts >= 1),
  fence integer not null default 0 check (fence >= 0),
  token text,
  settled_token text, -- the lease that ended it, so that a repeated call gets the same answer
  owner integer, -- fp_worker.id, kept after the lease ends
  lease_until_ms integer,
  error text,
  result text,
  changed_at_ms integer not null
) strict;

create unique index fp_delivery_message on fp_delivery (message_id, queue);
create index fp_delivery_ready on fp_delivery (queue, priority desc, id)
  where state = 'ready' and due_at_ms is null and held = 0;
create index fp_delivery_due on fp_delivery (due_at_ms)
  where state = 'ready' and due_at_ms is not null;
create index fp_delivery_lease on fp_delivery (lease_until_ms) where state = 'leased';
create index fp_delivery_owner on fp_delivery (owner) where state = 'leased';
create index fp_delivery_lane on fp_delivery (queue, lane, id)
  where lane is not null and state in ('ready', 'leased');
-- At most one of a lane can be claimed; the rest is held behind it.
create unique index fp_delivery_head on fp_delivery (queue, lane)
  where lane is not null and held = 0 and state in ('ready', 'leased');
create index fp_delivery_dead on fp_delivery (queue, id) where state = 'dead';

create table fp_worker (
  id integer primary key autoincrement,
  pool text not null,
  pid integer not null,
  host text not null,
  state text not null,
  handled integer not null default 0,
  started_at_ms integer not null,
  seen_at_ms integer not null
) strict;
