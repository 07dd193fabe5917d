/** Where a thread counts how far it came. */
export const STEPS = 0;
