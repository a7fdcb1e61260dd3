/** How long a restore may take: as earlier ones into the same cluster did, else as those who wrote `br` measured it. Pure. */

/** A restore that succeeded in one run of `br`. */
export interface TimedRestore {
  /** What was loaded, and how long `br` took for all. */
  readonly sizeBytes: number;
  readonly seconds: number;
}

/** The log of a restore to a point in time that succeeded in one run of `br`. */
export interface TimedLog {
  /** From the backup to the point, and how long `br` took to replay that. */
  readonly spanSeconds: number;
  readonly seconds: number;
}

export interface Estimate {
  /** 0 where there is nothing to go by. */
  readonly seconds: number;
  /** What it is made of, as a sentence. */
  readonly basis: string;
}

const MIB = 1024 * 1024;
const HOUR_SECONDS = 3_600;
/** What a TiKV takes in a second, as those who wrote `br` measured it, and how many a target has at least. */
const MIB_A_SECOND = 100;
const TIKVS = 3;
/** A shorter one is mostly the beginning and the end of `br`, whatever it loads. */
const TELLING_SECONDS = 60;
/** What was long ago says little of today. */
const LAST = 5;

/**
 * @param earlier those into the same cluster, of the same version and rate limit; the newest first
 * @param isPart a filter chooses what is restored, and nobody knows how much that is
 */
export function estimateOf(sizeBytes: number, earlier: readonly TimedRestore[], isPart: boolean): Estimate {
  const told = earlier
    .filter(({ seconds, sizeBytes: loaded }) => seconds >= TELLING_SECONDS && loaded > 0)
    .slice(0, LAST);
  const ofPart = isPart ? ' It is for the whole backup; what the filter chooses may take less.' : '';
  if (told.length === 0)
    return {
      seconds: estimateSeconds(sizeBytes),
      basis: `${MIB_A_SECOND} MiB a second and TiKV, of which there are ${TIKVS}: no earlier restore into the cluster shows how fast it is.${ofPart}`,
    };
  const sum = (of: (restore: TimedRestore) => number) => told.reduce((total, restore) => total + of(restore), 0);
  const rate = sum((one) => one.sizeBytes) / sum((one) => one.seconds);
  const which = told.length === 1 ? 'the last restore' : `the last ${told.length} restores`;
  return {
    seconds: Math.ceil(sizeBytes / rate),
    basis: `${Number((rate / MIB).toPrecision(3))} MiB a second, as ${which} into the cluster took it.${ofPart}`,
  };
}

/**
 * With the log that goes on from the backup. What lies in an hour of it differs from cluster to cluster; nobody knows better before.
 *
 * @param spanSeconds from the backup to the point
 * @param earlier the newest first, of all clusters
 */
export function withLog(ofBackup: Estimate, spanSeconds: number, earlier: readonly TimedLog[]): Estimate {
  const told = earlier.filter((one) => one.spanSeconds > 0).slice(0, LAST);
  if (told.length === 0) return { ...ofBackup, basis: `${ofBackup.basis} What the log adds is not in it.` };
  const sum = (of: (log: TimedLog) => number) => told.reduce((total, log) => total + of(log), 0);
  const rate = sum((one) => one.seconds) / sum((one) => one.spanSeconds);
  const which = told.length === 1 ? 'the last restore' : `the last ${told.length} restores`;
  const anHour = Number((rate * HOUR_SECONDS).toPrecision(3));
  return {
    seconds: ofBackup.seconds + Math.ceil(spanSeconds * rate),
    basis: `${ofBackup.basis} In it are ${anHour} s for each hour of the log, as ${which} to a point in time took it, of whichever cluster.`,
  };
}

/** How long a restore of so many bytes may take, where nothing is known of its target. */
export function estimateSeconds(sizeBytes: number): number {
  return Math.ceil(sizeBytes / (TIKVS * MIB_A_SECOND * MIB));
}
