/** What a process of the stack may see of the environment `npm start` was called in. */
const ALLOWED = [
  ...['PATH', 'HOME', 'USER', 'LANG', 'LC_ALL', 'LC_CTYPE', 'TZ', 'TMPDIR', 'NODE_COMPILE_CACHE'],
  ...['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'SSL_CERT_DIR'],
  ...['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy'],
];

/**
 * Connection URLs may carry passwords: they reach only the processes that need them, and through files. TLS is for
 * processes that others can reach: a stack's own are all on loopback, and whoever looks for it there speaks plain HTTP.
 */
const WITHHELD = /^TIDEMARK_((AMQP|MONGODB)_URL(_FILE)?|(GATEWAY_)?TLS_[A-Z_]+|OPERATIONS_HOST)$/;

/** Credentials of storages, with or without a prefix that a storage names, are the business of workers alone. */
const CREDENTIALS = /^([A-Z][A-Z0-9_]*_)?(AWS|GOOGLE|AZURE)_/;

/** Secrets of receivers of notifications, behind the prefix that a receiver names, are the scheduler's. */
const RECEIVER_SECRETS = /^[A-Z][A-Z0-9_]*_(WEBHOOK_(URL|SECRET)|SMTP_(USER|PASSWORD))$/;

const PROXIES = ['HTTP_PROXY', 'HTTPS_PROXY', 'http_proxy', 'https_proxy'];
/** Object stores of this machine, such as a MinIO beside the stack, are not behind any proxy. */
const LOOPBACK = ['localhost', '127.0.0.1', '::1'];

function withoutProxyForLoopback(env: Record<string, string>): Record<string, string> {
  if (!PROXIES.some((name) => name in env)) return env;
  const told = (env.no_proxy ?? env.NO_PROXY ?? '').split(',').filter(Boolean);
  const direct = [...new Set([...told, ...LOOPBACK])].join(',');
  return { ...env, no_proxy: direct, NO_PROXY: direct };
}

/** The part of `env` that every process of the stack gets; `credentials` adds those of storages, `receiverSecrets` those of receivers. */
export function childEnvironment(
  env: NodeJS.ProcessEnv,
  { credentials, receiverSecrets }: { readonly credentials: boolean; readonly receiverSecrets: boolean },
): Record<string, string> {
  const isAllowed = (name: string) =>
    CREDENTIALS.test(name)
      ? credentials
      : RECEIVER_SECRETS.test(name)
        ? receiverSecrets
        : ALLOWED.includes(name) || name.startsWith('OTEL_') || (name.startsWith('TIDEMARK_') && !WITHHELD.test(name));
  const allowed = Object.entries(env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && isAllowed(entry[0]),
  );
  return withoutProxyForLoopback(Object.fromEntries(allowed));
}
