/** Points in time that somebody would lose: what would lose them is asked about once more, with which they are. */
import type { Signal } from '@preact/signals';
import { toProblem } from '../api.ts';
import type { Same } from '../shell.ts';
import { Confirm } from './act.tsx';

/** Something that may lose points, and the same from a shell. */
export interface Losing {
  readonly act: (acknowledge?: string) => Promise<unknown>;
  readonly same: (acknowledge?: string) => Same;
}

/** Points that would be lost, as a refusal told them. */
export interface Lost extends Losing {
  readonly message: string;
  readonly acknowledge: string;
}

/** Does it, unless it is refused for points that it would lose, which then are in `lost`. @throws what else it is refused for */
export async function attempt(lost: Signal<Lost | undefined>, losing: Losing, acknowledge?: string): Promise<void> {
  try {
    await losing.act(acknowledge);
    lost.value = undefined;
  } catch (error) {
    const { info, message } = toProblem(error);
    if (info.acknowledge === undefined) throw error;
    lost.value = { act: losing.act, same: losing.same, message, acknowledge: info.acknowledge };
  }
}

interface LossDialogProps {
  readonly lost: Signal<Lost | undefined>;
  /** What must be typed first: the cluster. */
  readonly typed: string;
  readonly onDone: () => void;
  /** Called when nothing is to be lost. */
  readonly onClose?: () => void;
}

/** Asks whether points may be lost; where it would be others by then, it says so and asks again. */
export function LossDialog({ lost, typed, onDone, onClose }: LossDialogProps) {
  if (!lost.value) return null;
  const { message, acknowledge, same } = lost.value;
  const losing = lost.value;
  return (
    <Confirm
      key={acknowledge}
      title="These points could not be restored any more"
      verb="Lose these points"
      typed={typed}
      isDestructive
      same={[same(acknowledge)]}
      act={() => attempt(lost, losing, acknowledge)}
      onDone={onDone}
      onClose={() => {
        lost.value = undefined;
        onClose?.();
      }}
    >
      <p>{message}</p>
    </Confirm>
  );
}
