/** Numbers of what failed inside, by the operation that failed, as the documented API has them. */
export const CREATE_FAILED = 20602;
export const DELETE_FAILED = 20603;
export const QUERY_FAILED = 20604;
export const SAVE_STRATEGY_FAILED = 20605;
export const QUERY_STRATEGY_FAILED = 20606;
export const DELETE_STRATEGY_FAILED = 20607;
