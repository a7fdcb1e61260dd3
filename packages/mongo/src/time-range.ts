/** The ends of a range of times that is open on one side: every range of a query has both (stack-findings 11.1). */

export const EPOCH = new Date(0);
/** No time on record is later. */
export const FAR = new Date('9999-01-01T00:00:00Z');
