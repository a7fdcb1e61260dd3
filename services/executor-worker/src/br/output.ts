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
}

/** What the lines of a run amounted to. */
export interface Output {
  /** The success summary, by key; its presence is what success is known by. */
  readonly success: ReadonlyMap<string, string> | undefined;
  /** From the line `Error: …` on standard error to its end. */
  readonly error: string;
  /** ERROR, FATAL and PANIC lines; they occur in good runs too. */
  readonly errorLines: readonly string[];
  /** The end of both streams. */
  readonly lastLines: readonly string[];
}

export interface OutputReader {
  stdout(chunk: Buffer): void;
  stderr(chunk: Buffer): void;
  /** Everything so far; an unfinished last line counts. */
  result(): Output;
}

const LAST_LINES = 200;
const MOST_ERROR_LINES = 50;
const LONGEST_KEPT = 4_096;
const HEAD = /^\[\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d\.\d{3} [+-]\d\d:\d\d\] \[([A-Z]+)\] \[[^\]\s]+\] /;
const TOKEN = /\[((?:"(?:[^"\\]|\\.)*"|[^\]"\\])*)\]/g;
const FIELD = /^("(?:[^"\\]|\\.)*"|[^=]+)=([\s\S]*)$/;

/** A log line: its level, message and fields. */
interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: ReadonlyMap<string, string>;
}

/** Reads one line in BR's unified text format; undefined when it is none. */
export function readLogLine(line: string): LogLine | undefined {
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

/** Starts reading a run. `onProgress` is told of each progress line. */
export function createOutputReader(onProgress: (line: ProgressLine) => void): OutputReader {
  const lastLines: string[] = [];
  const errorLines: string[] = [];
  const errorBlock: string[] = [];
  let success: ReadonlyMap<string, string> | undefined;

  const keep = (line: string): string => {
    const kept = line.length > LONGEST_KEPT ? `${line.slice(0, LONGEST_KEPT)}…` : line;
    lastLines.push(kept);
    if (lastLines.length > LAST_LINES) lastLines.shift();
    return kept;
  };
  const out = createLineSplitter((line) => {
    const kept = keep(line);
    const entry = readLogLine(line);
    if (!entry) return;
    const { level, message, fields } = entry;
    if (level === 'ERROR' || level === 'FATAL' || level === 'PANIC') {
      if (errorLines.length < MOST_ERROR_LINES) errorLines.push(kept);
    } else if (message === 'progress') onProgress(toProgress(fields));
    else if (message.endsWith(' success summary')) success = fields;
  });
  const err = createLineSplitter((line) => {
    const kept = keep(line);
    if (errorBlock.length > 0 || line.startsWith('Error: ')) errorBlock.push(kept);
  });
  return {
    stdout: out.push,
    stderr: err.push,
    result() {
      out.end();
      err.end();
      return {
        success,
        error: errorBlock
          .join('\n')
          .replace(/^Error: /, '')
          .trim(),
        errorLines,
        lastLines,
      };
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
  };
}

/** Cuts a stream into lines of any length, wherever its chunks end. */
function createLineSplitter(onLine: (line: string) => void): { push(chunk: Buffer): void; end(): void } {
  const decoder = new TextDecoder();
  let parts: string[] = [];
  const take = (text: string) => {
    let from = 0;
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', from)) {
      parts.push(text.slice(from, at));
      onLine(parts.join('').replace(/\r$/, ''));
      parts = [];
      from = at + 1;
    }
    if (from < text.length) parts.push(text.slice(from));
  };
  return {
    push: (chunk) => take(decoder.decode(chunk, { stream: true })),
    end() {
      take(decoder.decode());
      const rest = parts.join('');
      parts = [];
      if (rest) onLine(rest);
    },
  };
}
