/**
 * What `br` printed, followed while it runs.
 *
 * 1. The stream is open only while the tab is seen: a browser has few connections for all of its tabs.
 * 2. The API tells a log from its beginning each time, so what was shown is replaced when the stream begins anew.
 */
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { NO_DEADLINE, type Problem, toProblem } from '../api.ts';
import { isAway } from '../connection.ts';
import { createLogTail } from '../log-tail.ts';
import { isLookedAt, pause, untilHidden } from '../waiting.ts';
import { Trouble } from './problem.tsx';

interface Piece {
  readonly attempt: number;
  readonly data: Uint8Array;
  readonly skippedBytes: bigint;
}

export type ReadLog = (options: { readonly signal: AbortSignal; readonly timeoutMs: number }) => AsyncIterable<Piece>;

const SHOWN = 500;
const KEPT = 20_000;
const DRAW_MS = 150;
const AGAIN_MS = 2_000;

interface OutputProps {
  /** What is read; with another one it begins anew. */
  readonly id: string;
  readonly read: ReadLog;
  /** Whether more may follow. */
  readonly isLive: boolean;
}

export function Output({ id, read, isLive }: OutputProps) {
  const isWanted = useSignal(isLive);
  if (isLive && !isWanted.value) isWanted.value = true;
  if (isWanted.value) return <Lines id={id} read={read} isLive={isLive} />;
  return (
    <button type="button" onClick={() => (isWanted.value = true)}>
      Show what br printed
    </button>
  );
}

function Lines({ id, read, isLive }: OutputProps) {
  const lines = useSignal<readonly string[]>([]);
  const count = useSignal(0);
  const most = useSignal(SHOWN);
  const state = useSignal<'reading' | 'whole'>('reading');
  const problem = useSignal<Problem | undefined>(undefined);
  const box = useRef<HTMLElement>(null);
  const isAtEnd = useRef(true);

  useEffect(() => {
    const left = new AbortController();
    void follow(left.signal);
    return () => left.abort();

    async function follow(stop: AbortSignal): Promise<void> {
      while (!stop.aborted) {
        if (!isLookedAt()) {
          await pause(AGAIN_MS, stop);
          continue;
        }
        const hidden = untilHidden();
        try {
          await readOnce(AbortSignal.any([stop, hidden.signal]));
          state.value = 'whole';
          problem.value = undefined;
          return;
        } catch (error) {
          if (!stop.aborted && !hidden.signal.aborted) problem.value = toProblem(error);
        } finally {
          hidden.end();
        }
        await pause(AGAIN_MS, stop);
      }
    }

    async function readOnce(signal: AbortSignal): Promise<void> {
      const tail = createLogTail(KEPT);
      const decoder = new TextDecoder();
      let attempt = 0;
      const draw = () => {
        lines.value = tail.last(most.value);
        count.value = tail.count;
      };
      const timer = setInterval(draw, DRAW_MS);
      try {
        for await (const piece of read({ signal, ...NO_DEADLINE })) {
          problem.value = undefined;
          if (piece.attempt !== attempt) tail.push(`${attempt > 0 ? '\n' : ''}── attempt ${piece.attempt} ──\n`);
          attempt = piece.attempt;
          if (piece.skippedBytes > 0n) tail.push(`\n── ${piece.skippedBytes} bytes were not kept ──\n`);
          tail.push(decoder.decode(piece.data, { stream: true }));
        }
      } finally {
        clearInterval(timer);
        draw();
      }
    }
  }, [id]);

  // Whoever looks at the end goes on looking at the end; whoever scrolled up stays there.
  useEffect(() => {
    if (box.current && isAtEnd.current) box.current.scrollTop = box.current.scrollHeight;
  }, [lines.value]);

  const hidden = count.value - lines.value.length;
  return (
    <div class="output">
      {!isAway.value && <Trouble problem={problem.value} />}
      {hidden > 0 && lines.value.length < KEPT && (
        <p>
          <button type="button" class="small" onClick={() => (most.value = most.value * 4)}>
            Show more of {hidden.toLocaleString('en')} earlier lines
          </button>
        </p>
      )}
      <section
        class="scroll"
        ref={box}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached with the keyboard
        tabIndex={0}
        aria-label="What br printed"
        onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
          isAtEnd.current = scrollHeight - scrollTop - clientHeight < 24;
        }}
      >
        <pre>{lines.value.join('\n')}</pre>
      </section>
      <p class="muted" role="status">
        {state.value === 'whole'
          ? `${count.value.toLocaleString('en')} lines; nothing more follows.`
          : isAway.value || problem.value
            ? 'Not connected: these are the lines so far. It goes on by itself.'
            : isLive
              ? 'Following …'
              : 'Reading …'}
      </p>
    </div>
  );
}
