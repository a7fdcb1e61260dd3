/**
 * The bounds of what comes from outside a process, but for those of fields of requests, which are options in proto/;
 * docs/limits.md lists them, and its test compares.
 * Lengths are in characters (UTF-16 units), sizes in bytes of UTF-8, unless said otherwise. Pure.
 */

const KIB = 1024;
const MIB = 1024 * KIB;

// What is said about bad input.

/** Bad fields that one answer names. */
export const MAX_VIOLATIONS = 20;
/** The name of a bad field, which may hold what a caller wrote. */
export const MAX_FIELD_NAME = 256;
/** A text in a log line; what is longer is cut. */
export const MAX_LOG_TEXT = 4 * KIB;
/** Entries of a list or object in a log line. */
export const MAX_LOG_ENTRIES = 300;
/** Lists and objects within each other in a log line that are looked into. */
export const MAX_LOG_DEPTH = 4;
/** Damaged records of one kind that a process remembers. */
export const MAX_QUARANTINED = 1_000;
/** What a caller or another program said, where a sentence quotes it. */
export const MAX_QUOTED = 200;
/** A name that a caller made up, where a sentence quotes it or a bad field is called by it. */
export const MAX_QUOTED_NAME = 64;
/** A word within a text that a caller wrote, where a sentence quotes it. */
export const MAX_QUOTED_WORD = 40;
/** Clusters, or labels, that a refusal names. */
export const MAX_NAMED = 5;
/** Problems of the tokens file, or of a task that a worker refuses, that are named. */
export const MAX_PROBLEMS = 5;

// Requests of people.

/** A body of a call of REST that takes none; one that does may have as much as the gateway's setting says. */
export const MAX_SMALL_BODY_BYTES = 64 * KIB;
/** Entries of any list or map that has no smaller bound of its own. */
export const MAX_ENTRIES = 1_000;
/** Any text that has no smaller bound of its own. */
export const MAX_TEXT = 1_024;
/** How deep a JSON body may be nested. */
export const MAX_DEPTH = 64;

// Names and texts.

export const MAX_ID = 64;
/** The name of a token, of a worker, or of one run of a worker. */
export const MAX_NAME = 128;
/** Names, labels and their values. */
export const MAX_SHORT_TEXT = 256;
/** A path of a backup below its storage, or the absolute name of a file on a worker. */
export const MAX_PATH = 1_024;
/** The prefix of a storage, and its endpoint. */
export const MAX_LOCATION = 512;
/** A caller's own request id. */
export const MAX_REQUEST_ID = 128;
export const MAX_TRACE_HEADER = 512;
/** Why a window was skipped, as it is kept. */
export const MAX_OCCURRENCE_REASON = 1_000;

// Lists of people's settings.

export const MAX_PD = 32;
/** PDs of other registrations of one cluster that a restore keeps on record, the nearest registrations first. */
export const MAX_OTHER_PD = 1_000;
/** Labels of a cluster, and what they and their values come to. */
export const MAX_LABELS = 50;
export const MAX_LABELS_BYTES = 4 * KIB;
/** Labels that a strategy selects by. */
export const MAX_SELECTOR = 20;
export const MAX_FILTERS = 100;
export const MAX_FILTER = 512;
/** What the filters of a save come to. */
export const MAX_FILTERS_BYTES = 8 * KIB;
export const MAX_EXTRA_FLAGS = 32;
export const MAX_CONCURRENCY = 256;
/** `rateLimit`, in MiB per second. */
export const MAX_RATE_LIMIT = 4_294_967_295;
/** Rules of a cluster; those from strategies for labels count. */
export const MAX_RULES = 20;
export const MAX_FLEET_STRATEGIES = 100;
/** Backups at once that a storage may be limited to. */
export const MAX_CONCURRENT_BACKUPS = 1_000;
/** For how many days a storage may keep deleted backups in its bin. */
export const MAX_TRASH_DAYS = 365;
/** Public keys of a storage, by which manifests may be signed, and the characters of one. */
export const MAX_MANIFEST_KEYS = 8;
export const MAX_MANIFEST_KEY = 1_024;
/** Clusters, and labels of clusters, that a storage names as those that may use it. */
export const MAX_STORAGE_CLUSTERS = 1_000;
export const MAX_STORAGE_LABELS = 20;

// Notifications.

/** Receivers of notifications. */
export const MAX_RECEIVERS = 50;
/** The template of a receiver, and the text that comes of it or without it. */
export const MAX_TEMPLATE = 4_000;
export const MAX_NOTIFICATION_TEXT = 20_000;
/** Lines about what is bad in a digest. */
export const MAX_DIGEST_LINES = 20;
/** Addresses that a receiver of the kind mail writes to. */
export const MAX_MAIL_ADDRESSES = 20;
/** Backups that make one condition of a cluster or a storage bad, as far as they are remembered. */
export const MAX_CONDITION_RECORDS = 1_000;
/** Restores that have not ended, and are looked at for their end. */
export const MAX_OPEN_RESTORES = 1_000;
/** Notifications that one mail, or one message to Slack, holds where many are due at once. */
export const MAX_TOGETHER = 50;
/** Notifications that wait for one receiver. */
export const MAX_WAITING_DELIVERIES = 10_000;
/** Notifications that are over and kept, of all receivers. */
export const MAX_DELIVERIES = 100_000;
/** What is read of the answer of a receiver. */
export const MAX_RECEIVER_ANSWER_BYTES = 4 * KIB;
/** What is kept of why a notification could not be delivered. */
export const MAX_DELIVERY_TROUBLE = 300;

// Pages and messages.

export const MAX_PAGE_SIZE = 1_000;
/** Rows of a page where a call does not say how many. */
export const DEFAULT_PAGE_SIZE = 10;
/** Clusters on a page of the fleet, and where it is left out. */
export const MAX_FLEET_PAGE = 200;
export const DEFAULT_FLEET_PAGE = 50;
/** The text of a search; its most is a rule of the field. */
export const MIN_SEARCH_TEXT = 2;
/** What a search finds of a kind, and in all. */
export const MAX_HITS_OF_A_KIND = 10;
export const MAX_HITS = 50;
/** Backups and restores that begin with the text of a search, and are looked at for those that the caller sees. */
export const MAX_SEARCHED = 200;
/** Tokens that were made by calls. */
export const MAX_TOKENS = 1_000;
/** Audit entries that backup-service keeps. */
export const MAX_AUDIT_ENTRIES = 200_000;
/** What was asked for, in an audit entry. */
export const MAX_AUDIT_WHAT = 64;
/** Streams of changes of the fleet that a copy of scheduler-service serves. */
export const MAX_FLEET_WATCHERS = 500;
/** How old the cursor of such a stream may be, in milliseconds. */
export const MAX_CURSOR_AGE_MS = 900_000;
/** Clusters that changed since a cursor. */
export const MAX_CURSOR_CHANGES = 2_000;
/** Workers on a page, and where it is left out. */
export const MAX_WORKERS_PAGE = 200;
export const DEFAULT_WORKERS_PAGE = 50;
export const MAX_PAGE = 1_000_000_000;
/** A revision that a save names. */
export const MAX_REVISION = 999_999_999_999_999;
/** A token that says where a list goes on. */
export const MAX_PAGE_TOKEN = 512;
/** Up to how many the total of a list is exact, unless `TIDEMARK_EXACT_TOTAL` is set. */
export const DEFAULT_EXACT_TOTAL = 10_000;
/** What `TIDEMARK_EXACT_TOTAL` may be. */
export const MAX_EXACT_TOTAL = 1_000_000;
/** Clusters and storages that a list without a page holds. */
export const MAX_LISTED = 10_000;
/** A message between two processes; a larger one is an error that no repeat mends. */
export const MAX_MESSAGE_BYTES = 4 * MIB;
/** What a caller sees, as it travels with a call between processes: metadata has 8 KiB in all. */
export const MAX_SIGHT_BYTES = 4 * KIB;
/** What a list puts into one message between services; the rest follows under a page token. At least one item is sent. */
export const MAX_LIST_BYTES = 3 * MIB;

/** Verdicts of retention that one answer to a person holds. */
export const MAX_VERDICTS = 100_000;
/** Rules, and strategies for labels, that a refused deletion of their storage names. */
export const MAX_STORAGE_USERS = 10;
/** Versions of `br` that a worker has. */
export const MAX_BR_VERSIONS = 100;
/** Cancels, and resumes, that one restore remembers. */
export const MAX_RESTORE_COMMANDS = 100;
/** Backups of one line in front of a storage that are counted for a place in it. */
export const MAX_IN_LINE = 5_000;

// Queues and tables in the memory of a process.

/** Audit lines that wait for a file which cannot be written; they are all in the log. */
export const MAX_WAITING_AUDIT_LINES = 10_000;
/** Audit entries that wait for backup-service; they are all in the log. */
export const MAX_WAITING_AUDIT_ENTRIES = 10_000;
/** Audit entries that the gateway sends at once. */
export const MAX_AUDIT_BATCH = 200;
/** Tokens, and addresses with bad tokens, of which the gateway remembers how much they asked. */
export const MAX_REMEMBERED = 10_000;
/** Calls at a time of one connection of gRPC. */
export const MAX_CALLS_PER_CONNECTION = 200;
/** Calls at once that a service may be set to answer (`TIDEMARK_CALLS_AT_ONCE`), of each group of its services. */
export const MAX_CALLS_AT_ONCE = 10_000;
export const DEFAULT_CALLS_AT_ONCE = 32;
/** Calls that a service may be set to let wait for their turn (`TIDEMARK_CALLS_WAITING`). */
export const MAX_CALLS_WAITING = 100_000;
export const DEFAULT_CALLS_WAITING = 256;
/** A message of a queue. */
export const MAX_COMMAND_BYTES = 64 * KIB;
/** Messages of a process on their way to RabbitMQ. */
export const MAX_PUBLISHES = 200;

// Files and answers that are read whole.

/** A key or a file of credentials. */
export const MAX_SECRET_FILE_BYTES = 16 * KIB;
/** A TLS file, which may be a bundle of certificates. */
export const MAX_TLS_FILE_BYTES = MIB;
/** A secret that a setting `TIDEMARK_…_FILE` names, and the token of the command line. */
export const MAX_SECRET_SETTING_BYTES = 64 * KIB;
/** The file of hashed tokens. */
export const MAX_TOKENS_FILE_BYTES = 16 * MIB;
/** A file of authorities that `SSL_CERT_FILE` and `SSL_CERT_DIR` name. */
export const MAX_AUTHORITIES_FILE_BYTES = 16 * MIB;
/** What a worker wrote down of a run of `br`, for the next worker of its host. */
export const MAX_RUN_RECORD_BYTES = 64 * KIB;
/** What a `br restore` printed into a file of its run; what was read of a longer one is cut away. */
export const MAX_RUN_OUTPUT_BYTES = 256 * MIB;
/** What an issuer of tokens answers: where its keys are, and the keys. */
export const MAX_ISSUER_DOCUMENT_BYTES = MIB;
/** An answer of the API to the command line, and an event of a stream that it follows. */
export const MAX_ANSWER_BYTES = 16 * MIB;

// What workers read of storages.

/** `br`'s lock, which has about fifty bytes. */
export const MAX_LOCK_BYTES = 64 * KIB;
/** `tidemark.json`, a storage's mark, and the probes of a check. */
export const MAX_SMALL_FILE_BYTES = MIB;
/**
 * `backupmeta` and each of its metafiles, unless `TIDEMARK_BACKUPMETA_BYTES` is set. Version 1 keeps every file of a backup
 * in one `backupmeta`; version 2 begins a new metafile at 128 MiB (br-contract 5.1).
 */
export const DEFAULT_METADATA_BYTES = 512 * MIB;
/** What `TIDEMARK_BACKUPMETA_BYTES` may be. */
export const MAX_METADATA_BYTES = 4_096 * MIB;
/** Metafiles that name metafiles. */
export const MAX_METADATA_DEPTH = 4;
/** Damaged files that the report of a verification names. */
/** The least part of the data files that a verification may be asked to read. */
export const MIN_VERIFY_SAMPLE = 1e-6;
export const MAX_VERIFY_PROBLEMS = 100;
/** Name of such a file, and what is wrong with it, as far as they are kept. */
export const MAX_PROBLEM_TEXT = 1_000;
/** Verifications that wait in a pool and are looked at for a worker that is free. */
export const MAX_QUEUED_VERIFICATIONS = 500;
/** Of those, which are offered to it. */
export const MAX_OFFERED_VERIFICATIONS = 20;
/** Verifications that wait when rules of strategies are to ask for no more. */
export const MAX_WAITING_FOR_RULES = 100;
/** What `TIDEMARK_VERIFICATIONS_PER_STORAGE` may be. */
export const MAX_VERIFICATIONS_PER_STORAGE = 100;
/** Files that a verification reads side by side. */
export const MAX_VERIFY_FILES_AT_ONCE = 64;
/** Pages of a listing in a row with nothing in them. */
export const MAX_EMPTY_PAGES = 1_000;
/** What a store says of a failure. */
export const MAX_STORE_REASON = 300;
/** Files that could not be removed, for which an answer says why. */
export const MAX_REMOVAL_FAILURES = 10;

// What a `br` prints, as far as it shows how the run ended.

/** Its last lines. */
export const MAX_LAST_LINES = 200;
/** Its first lines about errors. */
export const MAX_ERROR_LINES = 50;
/** Of a longer line, beginning and end. */
export const MAX_LINE_HEAD = 3_072;
export const MAX_LINE_TAIL = 1_024;
/** Of a line that is longer still, what is read of it at all. */
export const MAX_READ_LINE_HEAD = MIB;
export const MAX_READ_LINE_TAIL = 64 * KIB;

// What workers report of their work.

/** Workers that are known. */
export const MAX_WORKERS = 1_000;
/** Versions of `br`, tasks, and storages out of reach that a worker reports. */
export const MAX_OF_A_WORKER = 100;
/** Backups of a cluster that are looked at for what its logs can be replayed from. */
export const MAX_SNAPSHOTS_OF_LOGS = 5_000;
/** For how many days back every second may be kept restorable. */
export const MAX_LOG_RETENTION_DAYS = 3_650;
/** Starts of a cluster's log backup that came to nothing and are remembered. */
export const MAX_FAILED_STARTS = 20;
/** Restores that gave a cluster or a log back, and are remembered: none of them gets it again. */
export const MAX_GIVEN_BACK = 100;
/** Log backup tasks of a cluster that a worker tells at once; a cluster has one. */
export const MAX_LOG_TASKS = 10;
/** What a `br` may print that is over within seconds. */
export const MAX_SHORT_RUN_BYTES = 4 * 1_048_576;
/** Stretches of a log that cannot be replayed across, of restores that `br` let into its cluster. */
export const MAX_LOG_CUTS = 100;
/** Errors of a log backup that a worker tells at once. */
export const MAX_LOG_ERRORS = 20;
/** Lines for people of a `br log truncate` that are kept, and their characters. */
export const MAX_TRUNCATE_LINES = 200;
export const MAX_TRUNCATE_LINE = 2_000;
/** A sentence of a worker. */
export const MAX_WORKER_SENTENCE = 1_000;
/** How long a worker says that something lasts, in seconds. */
export const MAX_TOLD_SECONDS = 10 * 365 * 86_400;
/** For how long a worker may have a task tried again later, in seconds. */
export const MAX_WAIT_SECONDS = 86_400;
/** Workers whose handing back of a task is remembered. */
export const MAX_HAND_BACKS = 100;
/** Workers that handed a task back, or storages out of reach, that a sentence names. */
export const MAX_NAMED_WORKERS = 10;
export const MAX_NAMED_STORAGES = 5;
/** The number of a piece of what a `br` printed. */
export const MAX_OUTPUT_SEQUENCE = 99_999_999;
/** Workers that a check of a storage asks one by one. */
export const MAX_CHECK_PARTS = 50;
/** Good backups of a place that a worker looks for where a storage's mark is missing. */
export const MAX_GOOD_PATHS = 10;
/** Older places of a storage that a check looks for where it was moved. */
export const MAX_CHECK_PLACES = 20;
/** Tasks of a storage that are tried at once when its registration changes. */
export const MAX_RETRIED_TASKS = 500;
/** One piece of what a `br` printed. */
export const MAX_OUTPUT_PIECE_BYTES = 64 * KIB;
/** What is kept of what a run of `br` printed: its first part. */
export const MAX_OUTPUT_FIRST_BYTES = MIB;
/** And its last. */
export const MAX_OUTPUT_LAST_BYTES = 8 * MIB;
/** What every goroutine of a `br` was doing when it hung. */
export const MAX_GOROUTINE_DUMP_BYTES = 2 * MIB;
/** An answer of PD about a target after a restore. */
export const MAX_PD_ANSWER_BYTES = MIB;
/** Schedulers that PD says are paused, and the name of one. */
export const MAX_SCHEDULERS = 64;
export const MAX_SCHEDULER_NAME = 100;
/** TiKVs of a target that are asked after a restore to a point in time, and that are named. */
export const MAX_TIKVS_ASKED = 200;
export const MAX_TIKVS_NAMED = 10;
export const MAX_TIKV_ADDRESS = 260;
/** Steps of a check of a storage. */
export const MAX_CHECK_STEPS = 1_000;
/** Text of a step, as a worker reports it: all of them must fit into one message between services. */
export const MAX_CHECK_STEP_TEXT = 600;
/** Name and text of a step that are kept, whichever worker reports them. */
export const MAX_KEPT_STEP_TEXT = 2_000;
/** `tidemark.json` beside a backup. */
export const MAX_MANIFEST_BYTES = 64 * KIB;
/** Contexts of the command line, and the file that it keeps them in. */
export const MAX_CONTEXTS = 100;
export const MAX_CONTEXTS_FILE_BYTES = 256 * KIB;
/** Rows that the command line lists. */
export const MAX_COMMAND_ROWS = 100_000;
/** For how long the command line waits for an end, or for a server. */
export const MAX_COMMAND_WAIT_SECONDS = 14 * 86_400;
/** A file that the command line applies, and the documents in it. */
export const MAX_APPLIED_BYTES = 4 * MIB;
export const MAX_APPLIED_DOCUMENTS = 10_000;
