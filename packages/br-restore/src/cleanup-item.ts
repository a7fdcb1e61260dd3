/** Something left behind, or to be done before the target is used. */
export interface CleanupItem {
  readonly what:
    | 'schedulersPaused'
    | 'importMode'
    | 'serviceSafepoint'
    | 'restoreRegistration'
    | 'ddlBlocked'
    | 'registryRow'
    | 'tablesPartly'
    | 'checkpointDatabases'
    | 'checkpointFiles'
    | 'tempDatabases'
    | 'tableMode'
    | 'checkpointLeft'
    | 'verifyChecksums'
    | 'collectionOff';
  /** When it is over by itself; null: not before somebody sees to it. */
  readonly until: Date | null;
  /** What it is and how it goes, in sentences. */
  readonly message: string;
  /** What to run, in SQL or for a shell; null where there is nothing to run. */
  readonly command: string | null;
  /** When it was seen to be so; undefined: it may be so, as `br` leaves it. */
  readonly seenAt?: Date;
}
