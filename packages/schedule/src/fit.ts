/** How past durations compare with the room that is left from each start to the end of its window. */
export interface Fit {
  /** How many durations are longer than the smallest room. */
  readonly tooLong: number;
  /** The longest duration in milliseconds; 0 where there is none. */
  readonly longestMs: number;
  /** In milliseconds; `Infinity` where there is no window. */
  readonly smallestRoomMs: number;
}

/**
 * Whether backups that take as long as those before would fit.
 *
 * @param rooms milliseconds from the start to the close of each upcoming window
 * @param durationsMs how long past backups took, in milliseconds
 */
export function fitOf(rooms: readonly number[], durationsMs: readonly number[]): Fit {
  const smallestRoomMs = rooms.reduce((smallest, room) => Math.min(smallest, room), Number.POSITIVE_INFINITY);
  return {
    tooLong: durationsMs.filter((duration) => duration > smallestRoomMs).length,
    longestMs: durationsMs.reduce((longest, duration) => Math.max(longest, duration), 0),
    smallestRoomMs,
  };
}
