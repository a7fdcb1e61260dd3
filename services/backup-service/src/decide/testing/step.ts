import type { WorldStep } from '../../testing/exploration.ts';
import type { Fault, Wish, World } from './world.ts';

/** Something that may happen next in a world of backups. */
export interface Step extends WorldStep<World> {
  /** Happens at once where nothing is in the way, so that time waits for it. */
  readonly urgent: boolean;
}

export const free = (name: string, act: Step['act']): Step => ({ name, kind: 'free', urgent: false, act });
export const urgent = (name: string, act: Step['act']): Step => ({ name, kind: 'free', urgent: true, act });

/** The step, if the world allows for such a fault and has one left. */
export function fault({ setting, faults }: World, which: Fault, name: string, act: Step['act']): Step[] {
  if (faults === 0 || !setting.fault.includes(which)) return [];
  const costs = (world: World) => {
    world.faults -= 1;
    act(world);
  };
  return [{ name: `${name} (${which})`, kind: 'fault', urgent: false, act: costs }];
}

/** The step, if people may wish for it here and have a wish left. */
export function wish({ setting, wishes }: World, which: Wish, name: string, act: Step['act']): Step[] {
  if (wishes === 0 || !setting.wish.includes(which)) return [];
  const costs = (world: World) => {
    world.wishes -= 1;
    act(world);
  };
  return [{ name, kind: 'wish', urgent: false, act: costs }];
}
