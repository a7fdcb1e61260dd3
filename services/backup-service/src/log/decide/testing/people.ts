import type { LogWish } from '../../log-backup.ts';
import { ask, counted, type Step, type World } from './world.ts';

const SETTINGS = { storageId: 's', retentionDays: 7, lagWarnSeconds: 600, lagCriticalSeconds: 1_800 };
const WISHES: readonly LogWish[] = ['off', 'on', 'paused'];

/** What is asked of Tidemark: another wish, or `on` again after something was done by hand. */
export function stepsOfPeople(world: World): Step[] {
  const { wanted, observed, wish } = world.log;
  const isAgain = observed.state === 'Missing' || observed.state === 'Paused' || observed.state === 'Error';
  return WISHES.flatMap((one) =>
    one !== wanted || (one === 'on' && isAgain)
      ? counted(world, 'wishes', `a person wants ${one}`, (next) => {
          const callId = `call ${wish + 1}`;
          ask(next, { kind: 'want', wanted: one, settings: SETTINGS, by: 'p', requestId: 'q', callId });
        })
      : [],
  );
}
