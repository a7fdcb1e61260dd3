import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StackProcess } from '@tidemark/local-stack/stack-process';

const ANSWER_MS = 5_000;
const LOOKS = 3;
const SETTLE_MS = 5_000;

/** What a process says of itself. */
export interface Usage {
  /** Processor time since its start. */
  readonly cpuMs: number;
  /**
   * Memory that the process has for itself alone: `RssAnon` of Linux. Its resident memory would also count the pages of
   * the Node program and of its libraries, which all processes of a machine share.
   */
  readonly ownMb: number;
  /** Any other metric, all its labels added up; 0 when there is none. */
  total(metric: string): number;
  /** In how many series a metric is told, by its labels. */
  series(metric: string): number;
}

/** Asks `/metrics`, and the system for the memory. */
export async function usageOf({ operations, pid }: Pick<StackProcess, 'operations' | 'pid'>): Promise<Usage> {
  const response = await fetch(`http://${operations}/metrics`, { signal: AbortSignal.timeout(ANSWER_MS) });
  const text = await response.text();
  const linesOf = (metric: string) =>
    text.split('\n').filter((line) => line.startsWith(`${metric} `) || line.startsWith(`${metric}{`));
  const total = (metric: string) =>
    linesOf(metric).reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  return {
    cpuMs: total('process_cpu_seconds_total') * 1_000,
    ownMb: await ownMb(pid),
    total,
    series: (metric) => linesOf(metric).length,
  };
}

/** Memory that a process has for itself alone. */
export async function ownMb(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const [, kib] = /^RssAnon:\s+(\d+) kB$/m.exec(status) ?? [];
  if (kib === undefined) throw new Error(`/proc/${pid}/status tells no RssAnon`);
  return Number(kib) / 1024;
}

/** The least of a few looks, so that garbage which only waits for its collection does not count. */
export async function leastOwnMb(
  processes: readonly Pick<StackProcess, 'pid'>[],
  signal: AbortSignal,
): Promise<number[]> {
  const looks: number[][] = [];
  for (let look = 0; look < LOOKS; look += 1) {
    await sleep(SETTLE_MS, undefined, { signal });
    looks.push(await Promise.all(processes.map(({ pid }) => ownMb(pid))));
  }
  return processes.map((_, index) => Math.min(...looks.map((mb) => mb[index] ?? 0)));
}
