/** How often the bar is drawn (br-contract 3.4). */
export const BAR_EVERY_MS = 200;

const WIDTH = 60;

/** The bar that BR draws, with its colour codes: `Full Backup <-----…> 17.12%`. */
export function barText(step: string, done: number, total: number): string {
  const share = total === 0 ? 0 : Math.min(1, done / total);
  const filled = Math.round(share * WIDTH);
  const bar = `<${'-'.repeat(filled)}${'.'.repeat(WIDTH - filled)}>`;
  return `\u001b[32m${step}\u001b[0m ${bar} ${total === 0 ? '?%' : `${(share * 100).toFixed(2)}%`}`;
}

/** A stream that a bar is drawn on. */
export interface BarStream {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** Draws one state of the bar: in place on a terminal, without any line break elsewhere. */
export function drawBar(stream: BarStream, text: string, last: boolean): void {
  if (!stream.isTTY) stream.write(text);
  else stream.write(`\r${text}${last ? '\n' : ''}`);
}
