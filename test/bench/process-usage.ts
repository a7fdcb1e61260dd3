import type { StackProcess } from '@tidemark/local-stack/stack-process';

const ANSWER_MS = 5_000;

/** What a process says of itself. */
export interface Usage {
  /** Processor time since its start. */
  readonly cpuMs: number;
  readonly residentMb: number;
  /** Any other metric, all its labels added up; 0 when there is none. */
  total(metric: string): number;
}

/** Asks `/metrics`. */
export async function usageOf({ operations }: Pick<StackProcess, 'operations'>): Promise<Usage> {
  const response = await fetch(`http://${operations}/metrics`, { signal: AbortSignal.timeout(ANSWER_MS) });
  const text = await response.text();
  const total = (metric: string) =>
    text
      .split('\n')
      .filter((line) => line.startsWith(`${metric} `) || line.startsWith(`${metric}{`))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  return {
    cpuMs: total('process_cpu_seconds_total') * 1_000,
    residentMb: total('process_resident_memory_bytes') / 2 ** 20,
    total,
  };
}
