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

/** The part of `env` that every process of the stack gets; `credentials` adds those of storages. */
export function childEnvironment(
  env: NodeJS.ProcessEnv,
  { credentials }: { readonly credentials: boolean },
): Record<string, string> {
  const isAllowed = (name: string) =>
    CREDENTIALS.test(name)
      ? credentials
      : ALLOWED.includes(name) || name.startsWith('OTEL_') || (name.startsWith('TIDEMARK_') && !WITHHELD.test(name));
  return Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined && isAllowed(entry[0])),
  );
}
