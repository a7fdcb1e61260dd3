/**
 * Preloaded (`node --import`) into every process of a run: the file that TIDEMARK_OPERATIONS_PORT names below
 * TIDEMARK_CHAOS_CLOCKS holds by how many milliseconds its wall clock is wrong, and may change at any time.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const { TIDEMARK_CHAOS_CLOCKS: folder, TIDEMARK_OPERATIONS_PORT: name } = process.env;
const LOOK_MS = 500;

if (folder !== undefined && name !== undefined) {
  const file = join(folder, name);
  const TrueDate = Date;
  let shiftMs = 0;
  const look = () => {
    try {
      shiftMs = Number(readFileSync(file, 'utf8'));
    } catch {
      shiftMs = 0; // nobody shifted it
    }
  };
  look();
  setInterval(look, LOOK_MS).unref();
  class ShiftedDate extends TrueDate {
    constructor(...given: [] | [number | string]) {
      if (given.length === 0) super(TrueDate.now() + shiftMs);
      else super(...given);
    }
    static override now(): number {
      return TrueDate.now() + shiftMs;
    }
    // What was made before, or by native code, is a date as well.
    static override [Symbol.hasInstance](value: unknown): boolean {
      return value instanceof TrueDate;
    }
  }
  globalThis.Date = ShiftedDate as DateConstructor;
}
