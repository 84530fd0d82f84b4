-- fp_store       one row: the store's clock, and the last fence given out
-- fp_message     the ledger: one row for each dedupe key, kept after its work is done
-- fp_body        what messages carry, until every delivery is done and keep_body_for is over;
--                with their key while no route has matched them
-- fp_delivery    one row for each handler a message goes to; its lease lives here
-- fp_counter     what handlers have counted, one row for each name
-- fp_queue       one row for each queue: its caps, and how many deliveries are in which state
-- fp_route       one row for each queue whose route an operator has turned off
-- fp_unrouted    what came for such a queue, until its route is on again
-- fp_conflict    one row for each source that has sent a known key with another body
-- fp_host        one row for each host that failed when webhooks were sent to it
-- fp_pool        one row for each living pool of workers; see locks/live_bytes.py
-- fp_schedule    one row for each schedule that a pool has ever declared: how far it is
-- fp_ticker      one row for each schedule and each pool that enqueues its messages
-- fp_worker      one row for each living worker process; see locks/live_bytes.py
-- fp_event       what became of pools and workers, the newest of it
-- fp_owner       one row for each owner of keyed state: how many entries it has in all
-- fp_namespace   one row for each namespace: the options it was first opened with, its size
-- fp_entry       keyed state
-- fp_quarantine  what was found damaged, set aside so that it blocks nothing
-- fp_lease       named leases
-- fp_once        two-phase claims of keys: in work, then done with a result
--
-- A change here is a new version: file/schema.py brings older stores to it.
-- Times are milliseconds on the store's clock (Unix time that does not step; session/clock.py).
-- AUTOINCREMENT everywhere: SQLite would give the number of a deleted last row out again.
-- A check on a column costs each insert of a message a twentieth of a microsecond: of its tables
-- those have one on which it depends who may do what. A list of more than two values costs a
-- table that SQLite builds for each row, so it is written out.
-- Sizes and counts are kept by the statements that change them, in the same transaction.

create table fp_store (
  one integer primary key check (one = 1),
  store_id text not null check (store_id like 'store-%'), -- this table stays the first; session/wal_owner.py
  boot_id text not null,
  boot_offset_ms integer not null,
  last_fence integer not null check (last_fence >= 0),
  seen_ms integer not null default 0, -- the store's clock is past this, now and after a reboot
  wanted_workers integer check (wanted_workers >= 0), -- of each pool; null: as it was started
  seed blob not null -- random; what a handler draws is derived from it, and never changes
) strict;

create table fp_message (
  id integer primary key autoincrement,
  scope text not null,
  source text,
  key text,
  event text not null,
  headers text not null,
  body_sha256 blob not null, -- of the body as it came
  plain_sha256 blob, -- of it decompressed, which bodies are compared by; null: the same
  received_at_ms integer not null,
  keep_ms integer not null,
  keep_body_ms integer not null default 0, -- once all is done
  -- When the key is forgotten; null while a delivery has not ended, or one is yet to be made, or
  -- its only delivery says so.
  expires_at_ms integer,
  body_until_ms integer, -- when the body goes; null: with the message, or it is gone
  copy_of integer, -- fp_message.id, which may be gone before it; null: it is no copy
  -- 1: no route has matched it yet; 2: an operator wants it to be routed again;
  -- -1: it is kept in fp_unrouted, beside the deliveries that it may have
  unrouted integer not null default 0
) strict;

-- The key first, so that a message is also found without knowing its scope.
create unique index fp_message_key on fp_message (key, scope) where key is not null;
create index fp_message_expiry on fp_message (expires_at_ms) where expires_at_ms is not null;
create index fp_message_body on fp_message (body_until_ms) where body_until_ms is not null;
create index fp_message_copy on fp_message (copy_of) where copy_of is not null;
-- By what they are counted, by age, and those that a worker is to look at.
create index fp_message_unrouted on fp_message (source, event, id) where unrouted > 0;
create index fp_message_unrouted_age on fp_message (id) where unrouted > 0;
create index fp_message_to_route on fp_message (id) where unrouted = 2;

-- Apart from its message, so that what is left of one when its body goes is small.
create table fp_body (
  message_id integer primary key references fp_message (id),
  body blob not null,
  compressed integer not null, -- 0 or 1
  outgoing text -- JSON: where a webhook is sent, and what signs it; null: it came, or is a job
) strict;

create table fp_delivery (
  id integer primary key autoincrement,
  message_id integer not null references fp_message (id),
  queue text not null,
  origin text, -- the queue it was first put in, should it have been moved; null: this one
  lane text,
  lane_policy text not null default 'strict', -- or skip, or park, or latest
  behind integer not null default 0, -- 1: an older one of its lane is before it
  parked integer not null default 0, -- 1: dead, and its lane waits for it
  priority integer not null,
  state text not null check (
    state = 'ready' or state = 'leased' or state = 'done' or state = 'sleeping' or state = 'dead'
      or state = 'cancelled'
  ),
  due_at_ms integer, -- not before; null: now
  asleep text, -- the step that it sleeps or waits at
  generation integer not null default 0, -- how often it was replayed from its start, or a step
  attempt integer not null default 0 check (attempt >= 0),
  max_attempts integer check (max_attempts >= 1), -- dead after so many; null: no bound
  retry_for_ms integer not null, -- dead so long after tried_since_ms
  tried_since_ms integer not null, -- the first claim; before it, and after a replay: of no account
  at_most_once integer not null default 0, -- 1: never tried again unasked
  crashes integer not null default 0 check (crashes >= 0), -- workers that ended by it alone
  max_crashes integer not null default 3,
  window_ms integer, -- from its arrival until it is handed over as the head of its lane; null: none
  group_most integer, -- it is handed over with so many, itself among them; null: as its handler says
  fence integer not null default 0 check (fence >= 0),
  token text,
  settled_token text, -- the lease that ended it, so that a repeated call gets the same answer
  worker integer, -- fp_worker.id, kept after the lease ends; null: no worker of a pool
  holder_pid integer, -- the process that leased it last
  lease_until_ms integer,
  error text,
  result text,
  bytes integer not null, -- of the body as it came
  changed_at_ms integer not null,
  -- When the key of its message is forgotten, where it is the only delivery and is done: that
  -- changes one row in place of two. Null otherwise; fp_message has it then.
  expires_at_ms integer
) strict;

create unique index fp_delivery_message on fp_delivery (message_id, queue);
-- What has only been enqueued, in the order of its ids: that is also by age. Most is never
-- anything else until it is leased, so that this index alone is written for it. Of the others,
-- those that can be claimed, how long they wait, and those that are ready, for lists.
create index fp_delivery_fresh on fp_delivery (queue)
  where state = 'ready' and due_at_ms is null and behind = 0 and priority = 0 and fence = 0
    and changed_at_ms = tried_since_ms;
create index fp_delivery_ready on fp_delivery (queue, priority desc, id)
  where state = 'ready' and due_at_ms is null and behind = 0
    and (due_at_ms is not null or behind = 1 or priority <> 0 or fence > 0
      or changed_at_ms <> tried_since_ms);
create index fp_delivery_age on fp_delivery (queue, behind, changed_at_ms)
  where state = 'ready' and due_at_ms is null
    and (due_at_ms is not null or behind = 1 or priority <> 0 or fence > 0
      or changed_at_ms <> tried_since_ms);
create index fp_delivery_apart on fp_delivery (queue, id)
  where state = 'ready'
    and (due_at_ms is not null or behind = 1 or priority <> 0 or fence > 0
      or changed_at_ms <> tried_since_ms);
create index fp_delivery_due on fp_delivery (due_at_ms)
  where state in ('ready', 'sleeping') and due_at_ms is not null;
create index fp_delivery_scheduled on fp_delivery (queue, due_at_ms)
  where state = 'ready' and due_at_ms is not null;
-- Until when: what is leased, and what is done and is not known once its time has come. An ack
-- takes an entry of the first kind for one of the second, and where the one begins the other ends,
-- so that both are mostly on one page. Few are leased at a time: those of one worker are found
-- among them.
create index fp_delivery_until on fp_delivery (lease_until_ms, expires_at_ms, worker)
  where lease_until_ms is not null or expires_at_ms is not null;
create index fp_delivery_lane on fp_delivery (queue, lane, id)
  where lane is not null and (state = 'ready' or state = 'leased' or state = 'sleeping');
-- At most one of a lane can be claimed; the rest waits behind it.
create unique index fp_delivery_head on fp_delivery (queue, lane)
  where lane is not null and behind = 0
    and (state = 'ready' or state = 'leased' or state = 'sleeping' or parked = 1);
-- For lists, newest first. What is done is most of a store, and found without an index of its own.
create index fp_delivery_queue on fp_delivery (queue);
create index fp_delivery_sleeping on fp_delivery (queue, due_at_ms) where state = 'sleeping';
create index fp_delivery_ended on fp_delivery (queue, state, id)
  where state in ('dead', 'cancelled');

-- What a handler has done already. id = fp_delivery.id * 65536 + the number of the record.
create table fp_step (
  id integer primary key,
  name text not null,
  occurrence integer not null check (occurrence >= 1),
  kind text not null check (
    kind = 'call' or kind = 'sleep' or kind = 'now' or kind = 'event' or kind = 'body'
      or kind = 'error'
  ),
  arguments_sha256 blob,
  arguments text, -- the beginning of them, for people
  outcome any, -- text: JSON; blob: bytes as they are
  fence integer not null, -- of the claim that recorded it
  code text, -- the version of the app then
  recorded_at_ms integer not null
) strict;

-- Written by others too: answers. An open row past its deadline has timed out, by that alone.
create table fp_wait (
  delivery_id integer not null,
  name text not null,
  occurrence integer not null check (occurrence >= 1),
  deadline_ms integer, -- null: the handler has not come there yet
  source text, -- of the message that is waited for; null: it is an answer
  event text, -- pattern for GLOB
  key text, -- null: any
  after_message integer, -- none up to this one is it
  answer text, -- JSON; null while it is open
  answered_at_ms integer,
  primary key (delivery_id, name, occurrence)
) strict, without rowid;

create index fp_wait_source on fp_wait (source, key)
  where source is not null and answered_at_ms is null;

-- What a source's wait_key gives of a message.
create table fp_wait_key (
  message_id integer primary key references fp_message (id) on delete cascade,
  source text not null,
  key text not null
) strict;

create index fp_wait_key_key on fp_wait_key (source, key, message_id);

-- What signs the tokens of waits: the newest one signs, and all that are not retired prove.
create table fp_secret (
  id integer primary key check (id between 1 and 255),
  secret blob not null,
  made_at_ms integer not null,
  retired_at_ms integer
) strict;

-- Of deliveries that are done, and of steps that are recorded.
create table fp_counter (
  name text primary key,
  value integer not null
) strict, without rowid;

-- A row for each opening of the store by which somebody waits for messages to end. Its FIFO is
-- beside the store: locks/ear_fifo.py.
create table fp_ear (
  id integer primary key autoincrement,
  pid integer not null,
  opened_at_ms integer not null
) strict;

-- Which ears are told of the end of which messages; gone once these have ended.
create table fp_told (
  message_id integer not null,
  ear integer not null, -- fp_ear.id, which is gone no sooner
  primary key (message_id, ear)
) strict, without rowid;

create table fp_queue (
  name text primary key,
  max_rows integer check (max_rows >= 1), -- of ready and leased ones
  max_bytes integer check (max_bytes >= 1),
  own_max_leased integer check (own_max_leased >= 1), -- as its handler says
  told_max_leased integer check (told_max_leased >= 1), -- as operators say: that goes first
  max_leased integer generated always as (coalesce(told_max_leased, own_max_leased)) virtual,
  paused integer not null default 0 check (paused in (0, 1)), -- nothing of it is claimed
  tells_dead integer not null default 0 check (tells_dead in (0, 1)), -- its app has on_dead
  keep_body_ms integer not null default 0 check (keep_body_ms >= 0), -- of what is done
  bytes integer not null default 0 check (bytes >= 0), -- of ready and leased ones
  ready integer not null default 0 check (ready >= 0), -- scheduled ones included
  scheduled integer not null default 0 check (scheduled >= 0), -- ready, with a due_at_ms
  leased integer not null default 0 check (leased >= 0),
  sleeping integer not null default 0 check (sleeping >= 0),
  done integer not null default 0 check (done >= 0),
  dead integer not null default 0 check (dead >= 0),
  cancelled integer not null default 0 check (cancelled >= 0)
) strict, without rowid;

-- A queue without a row: its route is on. Draining: what is kept is routed before what is new.
create table fp_route (
  queue text primary key,
  state text not null check (state in ('off', 'draining')),
  since_ms integer not null
) strict, without rowid;

-- Without a reference: each message that is deleted would be looked for here.
create table fp_unrouted (
  queue text not null,
  message_id integer not null,
  primary key (queue, message_id)
) strict, without rowid;

-- A row appears with the first conflict: same key, other body.
create table fp_conflict (
  source text primary key,
  conflicts integer not null check (conflicts >= 1),
  key text not null, -- of the last one
  last_at_ms integer not null
) strict, without rowid;

-- A row appears with the first failure, and goes when the host answers.
create table fp_host (
  name text primary key, -- scheme://host:port
  failures integer not null check (failures >= 0), -- in a row
  open_until_ms integer, -- nothing is sent before; null: all is
  opened integer not null check (opened >= 0), -- how often in a row
  probe text, -- the token of the one that is sent to find out; null: none is
  probe_until_ms integer, -- when it counts as lost
  changed_at_ms integer not null
) strict, without rowid;

create table fp_pool (
  id integer primary key autoincrement,
  pid integer not null,
  host text not null,
  state text not null,
  size integer not null check (size >= 0), -- workers wanted now
  queues text, -- JSON; null: all that its app has handlers for
  started_at_ms integer not null,
  seen_at_ms integer not null
) strict;

create table fp_schedule (
  name text primary key, -- its handler's, and its queue's
  spec text not null, -- a cron expression, or a period: app/schedules/schedule.py
  timezone text not null,
  missed text not null check (missed = 'once' or missed = 'each' or missed = 'skip'),
  -- All planned times up to it are dealt with. The wall clock's time, not the store's.
  last_ms integer not null,
  seen_at_ms integer not null -- a pool enqueued for it then, and maybe later
) strict, without rowid;

create table fp_ticker (
  schedule text not null references fp_schedule (name),
  pool integer not null, -- fp_pool.id, which is gone no sooner
  primary key (schedule, pool)
) strict, without rowid;

create table fp_worker (
  id integer primary key autoincrement,
  pool integer not null, -- fp_pool.id, which may be gone before it
  pid integer not null,
  host text not null,
  state text not null,
  handled integer not null default 0,
  memory_bytes integer, -- null: not known
  started_at_ms integer not null,
  seen_at_ms integer not null
) strict;

create table fp_event (
  id integer primary key autoincrement,
  at_ms integer not null,
  kind text not null,
  pool integer,
  worker integer,
  pid integer,
  delivery integer,
  fence integer,
  detail text
) strict;

create table fp_owner (
  name text primary key,
  max_entries integer check (max_entries >= 1),
  entries integer not null default 0 check (entries >= 0)
) strict, without rowid;

create table fp_namespace (
  id integer primary key autoincrement,
  owner text not null references fp_owner (name),
  name text not null,
  max_entries integer check (max_entries >= 1),
  ttl_ms integer check (ttl_ms >= 1),
  overflow text not null check (overflow in ('evict', 'reject')),
  entries integer not null default 0 check (entries >= 0) -- expired ones included until swept
) strict;

create unique index fp_namespace_name on fp_namespace (owner, name);

create table fp_entry (
  id integer primary key autoincrement,
  namespace integer not null references fp_namespace (id),
  key text not null,
  value text not null, -- JSON
  created_at_ms integer not null,
  expires_at_ms integer
) strict;

create unique index fp_entry_key on fp_entry (namespace, key);
create index fp_entry_age on fp_entry (namespace, created_at_ms, key);
create index fp_entry_expiry on fp_entry (namespace, expires_at_ms)
  where expires_at_ms is not null;

create table fp_quarantine (
  id integer primary key autoincrement,
  place text not null, -- which table and row it was
  value blob,
  why text not null,
  found_at_ms integer not null
) strict;

create table fp_lease (
  name text primary key,
  owner text not null,
  fence integer not null check (fence >= 0),
  token text, -- null once released
  settled_token text, -- the one it was released with, so that releasing twice is one
  acquired_at_ms integer not null,
  expires_at_ms integer not null
) strict, without rowid;

create index fp_lease_expiry on fp_lease (expires_at_ms);

create table fp_once (
  id integer primary key autoincrement,
  namespace text not null,
  key text not null,
  state text not null check (state = 'claimed' or state = 'done' or state = 'released'),
  holder text not null,
  fence integer not null check (fence >= 0),
  token text, -- null once completed or released
  settled_token text,
  payload_sha256 blob,
  result text, -- JSON
  claimed_at_ms integer not null,
  expires_at_ms integer not null -- of the lease while claimed, of the memory once done
) strict;

create unique index fp_once_key on fp_once (namespace, key);
create index fp_once_expiry on fp_once (expires_at_ms);
