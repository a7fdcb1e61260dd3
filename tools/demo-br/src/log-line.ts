/** One line of BR's log in its two formats (br-contract 3.2 and 3.3). Pure. */

export type FieldValue = string | number | bigint | boolean;

/** Fields in the order in which they are printed; a key may repeat. */
export type Fields = ReadonlyArray<readonly [key: string, value: FieldValue]>;

export type LogLevel = 'DEBUG' | 'INFO' | 'WARN' | 'ERROR';

export interface LogRecord {
  readonly time: Date;
  readonly level: LogLevel;
  /** `file.go:line`, as the recorded runs have it. */
  readonly caller: string;
  readonly message: string;
  readonly fields: Fields;
}

const two = (value: number): string => String(value).padStart(2, '0');

/** `YYYY/MM/DD HH:MM:SS.mmm ±HH:MM` in the zone of this host. */
export function logTime(time: Date): string {
  const offset = -time.getTimezoneOffset();
  const zone = `${offset < 0 ? '-' : '+'}${two(Math.floor(Math.abs(offset) / 60))}:${two(Math.abs(offset) % 60)}`;
  const date = `${time.getFullYear()}/${two(time.getMonth() + 1)}/${two(time.getDate())}`;
  const clock = `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
  return `${date} ${clock}.${String(time.getMilliseconds()).padStart(3, '0')} ${zone}`;
}

/** Quotes exactly where the unified log format does. */
function quoted(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the format's rule is "a byte up to 0x20".
  return /[\u0000-\u0020\\"[\]=]/.test(text) ? JSON.stringify(text) : text;
}

/** The line in text format, without a line break. */
export function textLine(record: LogRecord): string {
  const fields = record.fields.map(([key, value]) => ` [${quoted(key)}=${quoted(String(value))}]`).join('');
  return `[${logTime(record.time)}] [${record.level}] [${record.caller}] [${quoted(record.message)}]${fields}`;
}

/** The line in JSON format, without a line break. 64-bit numbers are bare digits, as BR prints them. */
export function jsonLine(record: LogRecord): string {
  const members: Fields = [
    ['level', record.level],
    ['time', logTime(record.time)],
    ['caller', record.caller],
    ['message', record.message],
    ...record.fields,
  ];
  const body = members.map(
    ([key, value]) => `${JSON.stringify(key)}:${typeof value === 'bigint' ? value : JSON.stringify(value)}`,
  );
  return `{${body.join(',')}}`;
}
