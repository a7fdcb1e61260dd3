/**
 * Habits of stores that speak like S3 and are not Amazon, for `startOddStore`. Each was met by somebody; the numbers are
 * public reports.
 */

/** A request as it reaches the store. */
export interface StoreRequest {
  readonly method: string;
  /** Of the path, decoded; empty for a question about the bucket. */
  readonly key: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Of a POST; empty for others. */
  readonly body: string;
  /** How many requests came before it. */
  readonly before: number;
}

/** What is answered in place of the store; `cut` closes the connection. */
export type StoreAnswer = 'cut' | WrittenAnswer;

export interface WrittenAnswer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

export interface Habit {
  /** For people: what the store does. */
  readonly title: string;
  answer?(request: StoreRequest): StoreAnswer | undefined;
  /** What is answered about a key that the real store does not have. */
  readonly missing?: WrittenAnswer;
  /** Key and query with which the request goes on to the real store. */
  pass?(request: StoreRequest): Pick<StoreRequest, 'key' | 'query'>;
  /** What becomes of a list that the real store answered with. */
  relist?(request: StoreRequest, xml: string): string;
  /** Each answer comes this much later. */
  readonly delayMs?: number;
}

const SIDE_QUESTIONS = ['versioning', 'object-lock', 'uploads'];
const KNOWN_CLASSES = ['STANDARD', 'REDUCED_REDUNDANCY'];
const TROUBLE_EVERY = 4;
const SLOW_MS = 25;

const xml = (status: number, code: string): WrittenAnswer => ({
  status,
  type: 'application/xml',
  body: `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${code} (odd store)</Message></Error>`,
});
const text = (status: number, type: string, body: string): WrittenAnswer => ({ status, type, body });
const html = text(404, 'text/html', '<html><body><h1>404 Not Found</h1></body></html>');

/** Whether a request is about one of the bucket's files, by listing. */
export function isList({ method, key, query }: Pick<StoreRequest, 'method' | 'key' | 'query'>): boolean {
  return method === 'GET' && key === '' && !SIDE_QUESTIONS.some((question) => query.has(question));
}

const isBulkDelete = ({ method, query }: StoreRequest) => method === 'POST' && query.has('delete');
const isSideQuestion = ({ method, key, query }: StoreRequest) =>
  method === 'GET' && key === '' && SIDE_QUESTIONS.some((question) => query.has(question));

function namesEmptyPart({ key, query, body }: StoreRequest): boolean {
  const names = [key, query.get('prefix') ?? '', query.get('marker') ?? ''];
  return names.some((name) => name.startsWith('/') || name.includes('//')) || /<Key>[^<]*\/\//.test(body);
}

const refusing = (how: string, answer: StoreAnswer): Habit => ({
  title: `refuses keys with // by ${how}`,
  answer: (request) => (namesEmptyPart(request) ? answer : undefined),
});
const aside = (status: number, code: string): Habit => ({
  title: `answers ${status} to ?versioning, ?object-lock and ?uploads`,
  answer: (request) => (isSideQuestion(request) ? xml(status, code) : undefined),
});
const withoutBulk = (status: number, code: string): Habit => ({
  title: `answers ${status} when many keys are to be deleted at once`,
  answer: (request) => (isBulkDelete(request) ? xml(status, code) : undefined),
});

/** The query of version 1 for one of version 2, with a marker where it had a start. */
function versionOne({ query }: StoreRequest): URLSearchParams {
  const left = new URLSearchParams(query);
  for (const name of ['list-type', 'continuation-token', 'fetch-owner', 'start-after']) left.delete(name);
  return left;
}

/** Drops what only some stores show outside of folders. */
function withoutNextMarker({ query }: StoreRequest, answer: string): string {
  return query.get('delimiter') ? answer : answer.replace(/<NextMarker>.*?<\/NextMarker>/, '');
}

const listsInVersionOne: Pick<Habit, 'pass' | 'relist'> = {
  pass: (request) => ({ key: request.key, query: isList(request) ? versionOne(request) : request.query }),
  relist: withoutNextMarker,
};

function withoutPosition(request: StoreRequest): Pick<StoreRequest, 'key' | 'query'> {
  const query = new URLSearchParams(request.query);
  if (isList(request)) for (const name of ['continuation-token', 'marker', 'start-after']) query.delete(name);
  return { key: request.key, query };
}

const MORE = '<IsTruncated>true</IsTruncated>';

/** The table of habits. */
export const HABITS = {
  none: { title: 'has no habits' },
  slashInvalidName: refusing('400 XMinioInvalidObjectName (minio#5874)', xml(400, 'XMinioInvalidObjectName')),
  slashInvalidUri: refusing('400 InvalidURI', xml(400, 'InvalidURI')),
  slashTextNotFound: refusing('404 in plain text', text(404, 'text/plain', 'not found\n')),
  slashHtmlNotFound: refusing('404 in HTML', html),
  slashDenied: refusing('403', xml(403, 'AccessDenied')),
  slashMoved: refusing('301', xml(301, 'PermanentRedirect')),
  slashCut: refusing('closing the connection', 'cut'),
  mergesSlashes: {
    title: 'merges // into / (a proxy in front of it)',
    pass: ({ key, query }) => {
      const merged = new URLSearchParams(query);
      for (const name of ['prefix', 'marker'])
        if (merged.has(name)) merged.set(name, (merged.get(name) ?? '').replaceAll(/\/+/g, '/'));
      return { key: key.replaceAll(/\/+/g, '/'), query: merged };
    },
  },
  listsInVersionOne: { title: 'answers lists in version 1 (mc#3067, dvc#1476, cloudserver#490)', ...listsInVersionOne },
  asideInvalid: aside(400, 'InvalidArgument'),
  asideDenied: aside(403, 'AccessDenied'),
  asideNotFound: aside(404, 'NoSuchUpload'),
  bulkMalformed: withoutBulk(400, 'MalformedXML'),
  bulkDenied: withoutBulk(403, 'AccessDenied'),
  bulkNotAllowed: withoutBulk(405, 'MethodNotAllowed'),
  bulkNotImplemented: withoutBulk(501, 'NotImplemented'),
  deletesNothing: {
    title: 'lets nobody delete anything',
    answer: (request) => (isBulkDelete(request) || request.method === 'DELETE' ? xml(403, 'AccessDenied') : undefined),
  },
  unknownClass: {
    title: 'knows no other storage class than STANDARD',
    answer({ method, headers }) {
      const wanted = headers['x-amz-storage-class'];
      if (method !== 'PUT' || wanted === undefined || KNOWN_CLASSES.includes(String(wanted))) return undefined;
      return xml(400, 'InvalidStorageClass');
    },
  },
  missingIsHtml: {
    title: 'says in HTML that a key is not there (a proxy in front of it)',
    missing: html,
  },
  readsLate: {
    title: `answers every ${TROUBLE_EVERY}th read of a file that it lists with 404 (moto, and caches)`,
    answer: ({ method, key, before }) =>
      method === 'GET' && key !== '' && before % TROUBLE_EVERY === TROUBLE_EVERY - 1
        ? xml(404, 'NoSuchKey')
        : undefined,
  },
  slow: { title: 'is slow', delayMs: SLOW_MS },
  cuts: {
    title: `closes every ${TROUBLE_EVERY}th connection`,
    answer: ({ before }) => (before % TROUBLE_EVERY === TROUBLE_EVERY - 1 ? 'cut' : undefined),
  },
  slowDown: {
    title: `answers every ${TROUBLE_EVERY}th request with 503 SlowDown`,
    answer: ({ before }) => (before % TROUBLE_EVERY === TROUBLE_EVERY - 1 ? xml(503, 'SlowDown') : undefined),
  },
  // With these nothing can be listed, so nothing may be concluded.
  moreWithoutAWay: {
    title: 'says that a list goes on, and not where',
    relist: (_request, answer) =>
      answer
        .replaceAll(/<(Contents|CommonPrefixes)>.*?<\/\1>/gs, '')
        .replaceAll(/<(NextContinuationToken|NextMarker)>.*?<\/\1>/g, '')
        .replace(/<IsTruncated>\w+<\/IsTruncated>/, MORE),
  },
  samePage: { title: 'answers with the first page again and again', pass: withoutPosition },
  samePageInVersionOne: {
    title: 'answers in version 1 with the first page again and again',
    pass: (request) => ({
      ...withoutPosition(request),
      query: isList(request) ? versionOne({ ...request, ...withoutPosition(request) }) : request.query,
    }),
    relist: withoutNextMarker,
  },
  away: { title: 'is away, behind a proxy that answers 404 in HTML', answer: () => html },
} satisfies Record<string, Habit>;

export type HabitName = keyof typeof HABITS;
