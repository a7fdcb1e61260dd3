/**
 * Every state that a small world can come to, nearest first, so that what leads to a violation is as short as can be;
 * and whether from each of them all backups can come to rest without any further fault.
 */
import { decide } from '../decide.ts';
import { Violation } from './invariants.ts';
import { likenessOf } from './likeness.ts';
import type { Step } from './step.ts';
import { stepsFrom, take } from './steps.ts';
import { beginning, type Decide, type Setting, type World } from './world.ts';

/** What was found wrong, and the shortest way there. */
export interface Finding {
  readonly sentence: string;
  readonly trace: readonly string[];
}

export interface Exploration {
  readonly states: number;
  readonly steps: number;
  /** Whether there are more states than were to be looked at. */
  readonly cut: boolean;
  readonly finding?: Finding;
}

const STUCK = 'when the faults stop, every document reaches no task';

/** Explores a world under the rules of `decide`, or others; up to so many states. */
export function explore(setting: Setting, rules: Decide = decide, most = Infinity): Exploration {
  const states = createStates();
  const first = beginning(setting, rules);
  states.add(likenessOf(first), -1, '', isAtRest(first));
  let level = [first];
  let from = 0;
  let steps = 0;
  while (level.length > 0) {
    const nextLevel: World[] = [];
    for (const world of level) {
      for (const step of stepsFrom(world)) {
        steps += 1;
        const next = tryStep(world, step);
        if (typeof next === 'string') {
          const finding = { sentence: next, trace: [...states.traceTo(from), step.name] };
          return { states: states.count(), steps, cut: false, finding };
        }
        const { index, isNew } = states.add(likenessOf(next), from, step.name, isAtRest(next));
        if (isNew) nextLevel.push(next);
        if (step.kind === 'free') states.link(from, index);
      }
      from += 1;
      if (states.count() > most) return { states: states.count(), steps, cut: true };
    }
    level = nextLevel;
  }
  const stuck = states.findStuck();
  const finding = stuck === undefined ? {} : { finding: { sentence: STUCK, trace: states.traceTo(stuck) } };
  return { states: states.count(), steps, cut: false, ...finding };
}

/** The world after a step, or what it violated. */
function tryStep(world: World, step: Step): World | string {
  try {
    return take(world, step);
  } catch (error) {
    if (error instanceof Violation) return error.message;
    throw error;
  }
}

const isAtRest = ({ documents }: World) => documents.every(({ task }) => task === null);

/** The states that were found, the way to each, and the ways on that need no fault. */
function createStates() {
  const indexes = new Map<string, number>();
  const parents: number[] = [];
  const names: string[] = [];
  const resting: number[] = [];
  const sources: number[] = [];
  const targets: number[] = [];
  return {
    count: () => parents.length,
    add(likeness: string, parent: number, name: string, rests: boolean) {
      const known = indexes.get(likeness);
      if (known !== undefined) return { index: known, isNew: false };
      const index = parents.length;
      indexes.set(likeness, index);
      parents.push(parent);
      names.push(name);
      if (rests) resting.push(index);
      return { index, isNew: true };
    },
    link(source: number, target: number) {
      if (source === target) return;
      sources.push(source);
      targets.push(target);
    },
    traceTo(index: number): string[] {
      const trace: string[] = [];
      for (let at = index; at > 0; at = parents[at] ?? 0) trace.push(names[at] ?? '');
      return trace.reverse();
    },
    /** The nearest state from which no way leads to rest. */
    findStuck(): number | undefined {
      const first = new Int32Array(parents.length).fill(-1);
      const others = new Int32Array(targets.length);
      targets.forEach((target, link) => {
        others[link] = first[target] ?? -1;
        first[target] = link;
      });
      const ends = new Uint8Array(parents.length);
      const open = [...resting];
      for (const index of open) ends[index] = 1;
      for (let index = open.pop(); index !== undefined; index = open.pop()) {
        for (let link = first[index] ?? -1; link >= 0; link = others[link] ?? -1) {
          const source = sources[link] ?? 0;
          if (ends[source]) continue;
          ends[source] = 1;
          open.push(source);
        }
      }
      const stuck = ends.indexOf(0);
      return stuck < 0 ? undefined : stuck;
    },
  };
}

/** A finding as people read it. */
export function tell({ sentence, trace }: Finding): string {
  return [sentence, ...trace.map((step, index) => `  ${index + 1}. ${step}`)].join('\n');
}
