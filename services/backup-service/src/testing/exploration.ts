/**
 * Every state that a small world can come to, nearest first, so that what leads to a violation is as short as can be; and whether from
 * each of them the world can come to where it is meant to end, without any further fault.
 */

/** An invariant that does not hold. */
export class Violation extends Error {
  override name = 'Violation';
}

/** Something that may happen next in a world. */
export interface WorldStep<World> {
  readonly name: string;
  /** `free` happens by itself; a `wish` is somebody's; a `fault` is nobody's. */
  readonly kind: 'free' | 'fault' | 'wish';
  /** Changes the world that it is given: a copy. @throws Violation */
  readonly act: (world: World) => void;
}

/** Where every state must be able to come to, by steps of some kinds alone. */
export interface Goal<World> {
  /** What is told where it cannot. */
  readonly otherwise: string;
  readonly by: readonly WorldStep<World>['kind'][];
  readonly isReached: (world: World) => boolean;
}

export interface Model<World, Step extends WorldStep<World>> {
  readonly stepsFrom: (world: World) => Step[];
  /** The world after a step. @throws Violation */
  readonly take: (world: World, step: Step) => World;
  /** The same text for worlds in which the same can happen. */
  readonly likenessOf: (world: World) => string;
  readonly goals: readonly Goal<World>[];
}

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

/** Explores a model from its first world; up to so many states. */
export function exploreModel<World, Step extends WorldStep<World>>(
  model: Model<World, Step>,
  first: World,
  most = Infinity,
): Exploration {
  const { goals } = model;
  const states = createStates(goals.length);
  const reached = (world: World) => goals.map(({ isReached }) => isReached(world));
  states.add(model.likenessOf(first), -1, '', reached(first));
  let level = [first];
  let from = 0;
  let steps = 0;
  while (level.length > 0) {
    const nextLevel: World[] = [];
    for (const world of level) {
      for (const step of model.stepsFrom(world)) {
        steps += 1;
        const next = tryStep(model, world, step);
        if (typeof next === 'string') {
          const finding = { sentence: next, trace: [...states.traceTo(from), step.name] };
          return { states: states.count(), steps, cut: false, finding };
        }
        const { index, isNew } = states.add(model.likenessOf(next), from, step.name, reached(next));
        if (isNew) nextLevel.push(next);
        goals.forEach(({ by }, goal) => {
          if (by.includes(step.kind)) states.link(goal, from, index);
        });
      }
      from += 1;
      if (states.count() > most) return { states: states.count(), steps, cut: true };
    }
    level = nextLevel;
  }
  for (const [goal, { otherwise }] of goals.entries()) {
    const stuck = states.findStuck(goal);
    if (stuck !== undefined) {
      const finding = { sentence: otherwise, trace: states.traceTo(stuck) };
      return { states: states.count(), steps, cut: false, finding };
    }
  }
  return { states: states.count(), steps, cut: false };
}

/** The world after a step, or what it violated. */
function tryStep<World, Step extends WorldStep<World>>(
  { take }: Model<World, Step>,
  world: World,
  step: Step,
): World | string {
  try {
    return take(world, step);
  } catch (error) {
    if (error instanceof Violation) return error.message;
    throw error;
  }
}

/** The states that were found, the way to each, and for each goal the ways on that count for it. */
function createStates(goals: number) {
  const indexes = new Map<string, number>();
  const parents: number[] = [];
  const names: string[] = [];
  const ways = Array.from({ length: goals }, () => ({
    ends: [] as number[],
    sources: [] as number[],
    targets: [] as number[],
  }));
  return {
    count: () => parents.length,
    add(likeness: string, parent: number, name: string, reached: readonly boolean[]) {
      const known = indexes.get(likeness);
      if (known !== undefined) return { index: known, isNew: false };
      const index = parents.length;
      indexes.set(likeness, index);
      parents.push(parent);
      names.push(name);
      ways.forEach(({ ends }, goal) => {
        if (reached[goal]) ends.push(index);
      });
      return { index, isNew: true };
    },
    link(goal: number, source: number, target: number) {
      if (source === target) return;
      ways[goal]?.sources.push(source);
      ways[goal]?.targets.push(target);
    },
    traceTo(index: number): string[] {
      const trace: string[] = [];
      for (let at = index; at > 0; at = parents[at] ?? 0) trace.push(names[at] ?? '');
      return trace.reverse();
    },
    /** The nearest state from which no way leads to the goal. */
    findStuck(goal: number): number | undefined {
      const { ends, sources, targets } = ways[goal] ?? { ends: [], sources: [], targets: [] };
      const first = new Int32Array(parents.length).fill(-1);
      const others = new Int32Array(targets.length);
      targets.forEach((target, link) => {
        others[link] = first[target] ?? -1;
        first[target] = link;
      });
      const arrives = new Uint8Array(parents.length);
      const open = [...ends];
      for (const index of open) arrives[index] = 1;
      for (let index = open.pop(); index !== undefined; index = open.pop()) {
        for (let link = first[index] ?? -1; link >= 0; link = others[link] ?? -1) {
          const source = sources[link] ?? 0;
          if (arrives[source]) continue;
          arrives[source] = 1;
          open.push(source);
        }
      }
      const stuck = arrives.indexOf(0);
      return stuck < 0 ? undefined : stuck;
    },
  };
}

/** A finding as people read it. */
export function tell({ sentence, trace }: Finding): string {
  return [sentence, ...trace.map((step, index) => `  ${index + 1}. ${step}`)].join('\n');
}
