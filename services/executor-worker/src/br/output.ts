import {
  MAX_ERROR_LINES,
  MAX_LAST_LINES,
  MAX_LINE_HEAD,
  MAX_LINE_TAIL,
  MAX_READ_LINE_HEAD,
  MAX_READ_LINE_TAIL,
} from '@tidemark/limits/limits';
/**
 * Reads what `br` prints (br-contract.md section 3, with section 14): pure, and forgiving, since standard output holds
 * more than log lines.
 */

/** A line `[progress] …` of a step. */
export interface ProgressLine {
  readonly step: string;
  /** Undefined for `?%`. */
  readonly percent: number | undefined;
  readonly remainingSeconds: number | undefined;
  readonly speed: string;
  /** `done / total`, or only `done`. */
  readonly count: string;
}

/** What the lines of a run amounted to. */
export interface Output {
  /** The success summary, by key; its presence is what success is known by. */
  readonly success: ReadonlyMap<string, string> | undefined;
  /** Every success summary by what it is of, such as `Full Restore`: a restore to a point in time prints two. */
  readonly successes: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** The summary of a run that failed, by key; one that failed early prints none. */
  readonly failed: ReadonlyMap<string, string> | undefined;
  /** From the line `Error: …` to the end of standard error; 5.4 says it on standard output, up to the next log line. */
  readonly error: string;
  /** ERROR, FATAL and PANIC lines, and what Go says of a panic; the former occur in good runs too. */
  readonly errorLines: readonly string[];
  /** The end of both streams. */
  readonly lastLines: readonly string[];
  /** Where `br` serves its goroutines, as host:port, if it said so. */
  readonly statusAddress: string | undefined;
}

export interface OutputReader {
  stdout(chunk: Buffer): void;
  stderr(chunk: Buffer): void;
  /** Everything so far, up to the last whole lines. */
  now(): Output;
  /** Everything, at the end of both streams; an unfinished last line counts. */
  result(): Output;
}

const ERROR = 'Error: ';
const SUCCESS = ' success summary';
/** A restore to a point in time has two. */
const PHASES = 2;
const PANIC = /^(panic|fatal error): /;
const STATUS = /^bound pprof to addr (\S+)/;
const HEAD = /^\[\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d\.\d{3} [+-]\d\d:\d\d\] \[([A-Z]+)\] \[[^\]\s]+\] /;
const JSON_HEAD = /^\{"level":"([A-Z]+)"/;
const TOKEN = /\[((?:"(?:[^"\\]|\\.)*"|[^\]"\\])*)\]/g;
const FIELD = /^("(?:[^"\\]|\\.)*"|[^=]+)=([\s\S]*)$/;

/** A log line: its level, message and fields. */
export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: ReadonlyMap<string, string>;
}

/** Reads one line of BR's unified log, text or JSON; undefined when it is none. */
export function readLogLine(line: string): LogLine | undefined {
  if (line.startsWith('{')) return readJsonLine(line);
  const head = HEAD.exec(line);
  if (!head) return undefined;
  const tokens = [...line.slice(head[0].length).matchAll(TOKEN)].map(([, token = '']) => token);
  const fields = new Map<string, string>();
  for (const token of tokens.slice(1)) {
    const [, key = '', value = ''] = FIELD.exec(token) ?? [];
    if (key) fields.set(unquote(key), unquote(value));
  }
  return { level: head[1] ?? '', message: unquote(tokens[0] ?? ''), fields };
}

/** JSON.parse as it is since ES2026; TypeScript's library does not know the third argument yet. */
const parseWithSource = JSON.parse as (
  text: string,
  reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
) => unknown;

/** Workers ask for text; a program that logs JSON all the same is understood (br-contract 3.3). */
function readJsonLine(line: string): LogLine | undefined {
  try {
    // Numbers stay the digits that were printed: TSOs are larger than what JSON.parse can hold.
    const entry = parseWithSource(line, (_, value, { source }) => (typeof value === 'number' ? source : value));
    if (typeof entry !== 'object' || entry === null) return undefined;
    const { level, message, ...fields } = entry as Record<string, unknown>;
    if (typeof level !== 'string' || typeof message !== 'string') return undefined;
    const texts = Object.entries(fields).flatMap(([key, value]) =>
      typeof value === 'string' ? [[key, value] as const] : [],
    );
    return { level, message, fields: new Map(texts) };
  } catch {
    return undefined; // what the libraries of br print themselves
  }
}

function unquote(text: string): string {
  if (!text.startsWith('"')) return text;
  try {
    return JSON.parse(text) as string;
  } catch {
    return text.slice(1, -1); // escapes that JSON does not know
  }
}

/** Seconds of a Go duration such as `1h2m3.5s` or `24.6ms`; undefined for `?`. */
export function readDuration(text: string): number | undefined {
  const units: Readonly<Record<string, number>> = { h: 3_600, m: 60, s: 1, ms: 1e-3, µs: 1e-6, us: 1e-6, ns: 1e-9 };
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s|µs|us|ns)/g)];
  if (parts.length === 0) return undefined;
  return parts.reduce((sum, [, value, unit]) => sum + Number(value) * (units[unit ?? ''] ?? 0), 0);
}

/** Log lines that somebody asks for, beside those of progress and the summaries. */
export interface WantedLines {
  readonly isOne: (line: string) => boolean;
  readonly saw: (line: LogLine) => void;
}

/**
 * Starts reading a run.
 *
 * @param onProgress called with each progress line
 * @param wanted such as those that may say that `br` waits for something; never lines of errors
 */
export function createOutputReader(onProgress: (line: ProgressLine) => void, wanted?: WantedLines): OutputReader {
  const lastLines: string[] = [];
  const errorLines: string[] = [];
  const errorBlock: string[] = [];
  const oldErrorBlock: string[] = [];
  let success: ReadonlyMap<string, string> | undefined;
  const successes = new Map<string, ReadonlyMap<string, string>>();
  let failed: ReadonlyMap<string, string> | undefined;
  let statusAddress: string | undefined;

  const keep = (line: string): string => {
    const kept =
      line.length > MAX_LINE_HEAD + MAX_LINE_TAIL
        ? `${line.slice(0, MAX_LINE_HEAD)} … ${line.slice(-MAX_LINE_TAIL)}`
        : line;
    lastLines.push(kept);
    if (lastLines.length > MAX_LAST_LINES) lastLines.shift();
    return kept;
  };
  const keepError = (kept: string) => {
    if (errorLines.length < MAX_ERROR_LINES) errorLines.push(kept);
  };
  const succeeded = ({ message, fields }: LogLine) => {
    success = fields;
    const of = message.slice(0, -SUCCESS.length);
    if (successes.size < PHASES || successes.has(of)) successes.set(of, fields);
  };
  let inOldError = false;
  const out = createLineSplitter((line) => {
    const kept = keep(line);
    const level = HEAD.exec(line)?.[1] ?? JSON_HEAD.exec(line)?.[1];
    inOldError = level === undefined && (inOldError || line.startsWith(ERROR));
    if (inOldError) oldErrorBlock.push(kept);
    if (level === 'ERROR' || level === 'FATAL' || level === 'PANIC') keepError(kept);
    else if (line.includes('progress') || line.includes(' summary') || wanted?.isOne(line)) {
      const entry = readLogLine(line);
      if (!entry) return;
      if (entry.message === 'progress') onProgress(toProgress(entry.fields));
      else if (entry.message.endsWith(SUCCESS)) succeeded(entry);
      else if (entry.message.endsWith(' failed summary')) failed = entry.fields;
      else if (wanted?.isOne(line)) wanted.saw(entry);
    }
  });
  const err = createLineSplitter((line) => {
    const kept = keep(line);
    statusAddress ??= STATUS.exec(line)?.[1];
    if (errorBlock.length > 0 || line.startsWith(ERROR)) errorBlock.push(kept);
    else if (PANIC.test(line)) keepError(kept);
  });
  const errorText = () =>
    (errorBlock.length > 0 ? errorBlock : oldErrorBlock)
      .join('\n')
      .replace(/^Error: /, '')
      .trim();
  const now = (): Output => ({ success, successes, failed, error: errorText(), errorLines, lastLines, statusAddress });
  return {
    stdout: out.push,
    stderr: err.push,
    now,
    result() {
      out.end();
      err.end();
      return now();
    },
  };
}

function toProgress(fields: ReadonlyMap<string, string>): ProgressLine {
  const percent = Number.parseFloat(fields.get('progress') ?? '');
  return {
    step: fields.get('step') ?? '',
    percent: Number.isFinite(percent) ? Math.min(percent, 100) : undefined,
    // On the last line of a step `remaining` repeats `elapsed` (br-contract 3.4).
    remainingSeconds: percent >= 100 ? 0 : readDuration(fields.get('remaining') ?? ''),
    speed: fields.get('speed') ?? '',
    count: fields.get('count') ?? '',
  };
}

/** Cuts a stream into lines of any length, wherever its chunks end. */
function createLineSplitter(onLine: (line: string) => void): { push(chunk: Buffer): void; end(): void } {
  const decoder = new TextDecoder();
  let head: string[] = [];
  let headLength = 0;
  let tail = '';
  const add = (text: string) => {
    const room = MAX_READ_LINE_HEAD - headLength;
    if (room > 0) {
      head.push(text.slice(0, room));
      headLength += Math.min(room, text.length);
    }
    if (text.length > room) tail = (tail + text.slice(Math.max(0, room))).slice(-MAX_READ_LINE_TAIL);
  };
  const finish = () => {
    const line = head.join('') + tail;
    head = [];
    headLength = 0;
    tail = '';
    return line;
  };
  const take = (text: string) => {
    let from = 0;
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', from)) {
      add(text.slice(from, at));
      onLine(finish().replace(/\r$/, ''));
      from = at + 1;
    }
    if (from < text.length) add(text.slice(from));
  };
  return {
    push: (chunk) => take(decoder.decode(chunk, { stream: true })),
    end() {
      take(decoder.decode());
      const rest = finish();
      if (rest) onLine(rest);
    },
  };
}
