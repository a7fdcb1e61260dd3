/**
 * Names of files with their sizes, in a few bytes each: a large backup has a million of them.
 *
 * A name is known by 64 bits of its hash. Among a million names two share these once in some thirty million backups.
 */
import { hash } from 'node:crypto';

/** What a list of a storage says about a file that was noted. */
export type Sighting = 'unlisted' | 'right' | { readonly expected: number };

export interface FileTable {
  /** How many were noted. */
  readonly size: number;
  /** How many of them a list is to name. */
  readonly toList: number;
  /** How many of these it did not name. */
  readonly unseen: number;
  /**
   * Notes a file; false where it was noted before. A size of 0 is one that was not recorded.
   *
   * @param isToList whether a list of the storage is to name it
   */
  note(name: string, bytes: bigint, isToList?: boolean): boolean;
  /** Notes that a list of the storage names a file. */
  see(name: string, bytes: number): Sighting;
  /** Whether a list is to name it, and none did. */
  isUnseen(name: string): boolean;
  /** Whether a file that was noted is met for the first time in a second walk. */
  meet(name: string): boolean;
}

const TO_LIST = 1;
const SEEN = 2;
const MET = 4;

const FIRST_CAPACITY = 1_024;
const LOAD_FACTOR = 0.6;

interface Slots {
  /** Two for each slot; both 0 where it is empty. */
  readonly keys: Uint32Array;
  readonly sizes: Float64Array;
  readonly marks: Uint8Array;
}

const emptySlots = (capacity: number): Slots => ({
  keys: new Uint32Array(2 * capacity),
  sizes: new Float64Array(capacity),
  marks: new Uint8Array(capacity),
});

export function createFileTable(): FileTable {
  let slots = emptySlots(FIRST_CAPACITY);
  let [size, toList, unseen] = [0, 0, 0];

  /** The slot of a key, or the empty one where it would be. */
  const slotOf = ({ keys, sizes }: Slots, high: number, low: number) => {
    const mask = sizes.length - 1;
    let slot = low & mask;
    while ((keys[2 * slot] !== high || keys[2 * slot + 1] !== low) && (keys[2 * slot] || keys[2 * slot + 1]))
      slot = (slot + 1) & mask;
    return slot;
  };
  const isEmpty = ({ keys }: Slots, slot: number) => !keys[2 * slot] && !keys[2 * slot + 1];
  const find = (name: string) => {
    const [high, low] = keyOf(name);
    return slotOf(slots, high, low);
  };
  const marked = (slot: number, one: number) => ((slots.marks[slot] ?? 0) & one) !== 0;
  const mark = (slot: number, one: number) => {
    slots.marks[slot] = (slots.marks[slot] ?? 0) | one;
  };
  const grow = () => {
    const larger = emptySlots(2 * slots.sizes.length);
    for (let slot = 0; slot < slots.sizes.length; slot += 1) {
      if (isEmpty(slots, slot)) continue;
      const [high = 0, low = 0] = slots.keys.subarray(2 * slot, 2 * slot + 2);
      const to = slotOf(larger, high, low);
      larger.keys.set([high, low], 2 * to);
      larger.sizes[to] = slots.sizes[slot] ?? 0;
      larger.marks[to] = slots.marks[slot] ?? 0;
    }
    slots = larger;
  };

  return {
    get size() {
      return size;
    },
    get toList() {
      return toList;
    },
    get unseen() {
      return unseen;
    },
    note(name, bytes, isToList = true) {
      if (size >= LOAD_FACTOR * slots.sizes.length) grow();
      const [high, low] = keyOf(name);
      const slot = slotOf(slots, high, low);
      if (!isEmpty(slots, slot)) return false;
      slots.keys.set([high, low], 2 * slot);
      slots.sizes[slot] = Number(bytes);
      size += 1;
      if (!isToList) return true;
      slots.marks[slot] = TO_LIST;
      toList += 1;
      unseen += 1;
      return true;
    },
    see(name, bytes) {
      const slot = find(name);
      if (isEmpty(slots, slot) || !marked(slot, TO_LIST)) return 'unlisted';
      if (!marked(slot, SEEN)) unseen -= 1;
      mark(slot, SEEN);
      const expected = slots.sizes[slot] ?? 0;
      return expected === 0 || expected === bytes ? 'right' : { expected };
    },
    isUnseen(name) {
      const slot = find(name);
      return !isEmpty(slots, slot) && marked(slot, TO_LIST) && !marked(slot, SEEN);
    },
    meet(name) {
      const slot = find(name);
      if (isEmpty(slots, slot) || marked(slot, MET)) return false;
      mark(slot, MET);
      return true;
    },
  };
}

function keyOf(name: string): [high: number, low: number] {
  const digest = hash('sha1', name, 'buffer');
  // Zero stands for an empty slot.
  return [digest.readUInt32LE(0), digest.readUInt32LE(4) || 1];
}
