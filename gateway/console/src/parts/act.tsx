/** Buttons that change something: they say that they are at work, and what went wrong, where they stand. */
import { type Signal, useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { type Problem, toProblem } from '../api.ts';
import type { Same } from '../shell.ts';
import { Dialog } from './dialog.tsx';
import { Trouble } from './problem.tsx';
import { SameByShell } from './shell.tsx';

export interface Act {
  readonly isBusy: Signal<boolean>;
  readonly problem: Signal<Problem | undefined>;
  /** Does the work once at a time. @returns whether it went well */
  run(work: () => Promise<unknown>): Promise<boolean>;
}

export function useAct(): Act {
  const isBusy = useSignal(false);
  const problem = useSignal<Problem | undefined>(undefined);
  return {
    isBusy,
    problem,
    async run(work) {
      if (isBusy.value) return false;
      isBusy.value = true;
      problem.value = undefined;
      try {
        await work();
        return true;
      } catch (error) {
        problem.value = toProblem(error);
        return false;
      } finally {
        isBusy.value = false;
      }
    },
  };
}

interface ConfirmProps {
  readonly title: string;
  /** What the button says that does it. */
  readonly verb: string;
  /** What must be typed first, letter for letter; left out, nothing. */
  readonly typed?: string;
  readonly isDestructive?: boolean;
  readonly same: readonly Same[];
  readonly act: () => Promise<unknown>;
  readonly onDone: () => void;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}

/** Asks before something is done, and shows there what refused it. */
export function Confirm({ title, verb, typed, isDestructive, same, act, onDone, onClose, children }: ConfirmProps) {
  const doing = useAct();
  const word = useSignal('');
  const isReady = typed === undefined || word.value === typed;
  const submit = async (event: Event) => {
    event.preventDefault();
    if (isReady && (await doing.run(act))) onDone();
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <form onSubmit={submit}>
        {children}
        {typed !== undefined && (
          <label>
            Type <code>{typed}</code> to go on
            <input
              value={word}
              onInput={(event) => (word.value = event.currentTarget.value)}
              autocomplete="off"
              spellcheck={false}
            />
          </label>
        )}
        <Trouble problem={doing.problem.value} />
        <SameByShell of={same} />
        <div class="buttons">
          <button type="button" onClick={onClose}>
            Keep as it is
          </button>
          <button type="submit" class={isDestructive ? 'danger' : 'primary'} disabled={!isReady || doing.isBusy.value}>
            {doing.isBusy.value ? 'Working …' : verb}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
