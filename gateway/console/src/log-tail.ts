/** The last lines of what a program printed, of which the first ones are let go. Pure. */

export interface LogTail {
  /** Takes a piece, wherever it is cut. */
  push(piece: string): void;
  /** The last ones, at most so many; a line that is not at its end yet is the last. */
  last(most: number): string[];
  /** How many lines there were in all. */
  readonly count: number;
}

/** What a line that never ends may have. */
const LONGEST = 4_096;

/** @param kept how many lines are kept at most */
export function createLogTail(kept: number): LogTail {
  let lines: string[] = [];
  let rest = '';
  let count = 0;
  const add = (line: string) => {
    lines.push(line.length > LONGEST ? `${line.slice(0, LONGEST)} …` : line);
    count += 1;
  };
  return {
    push(piece) {
      const parts = (rest + piece).split('\n');
      rest = parts.pop() ?? '';
      if (rest.length > LONGEST * 2) rest = rest.slice(0, LONGEST * 2);
      for (const part of parts) add(part);
      // Seldom, since it copies what is kept.
      if (lines.length > kept * 2) lines = lines.slice(-kept);
    },
    last(most) {
      const whole = lines.slice(-Math.min(most, kept));
      return rest === '' ? whole : [...whole.slice(whole.length >= most ? 1 : 0), rest];
    },
    get count() {
      return count + (rest === '' ? 0 : 1);
    },
  };
}
