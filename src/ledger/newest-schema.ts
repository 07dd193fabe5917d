/** The newest event schema that this program knows; `upcast.ts` says what belongs to one. */
export const NEWEST_EVENT_SCHEMA = 2;
