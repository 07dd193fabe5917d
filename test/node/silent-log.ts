import type { Logger } from '../../src/observability/log.ts';

/** A log that nobody reads. */
export const silentLog = {
  isLevelEnabled: () => false,
  trace: () => undefined,
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  fatal: () => undefined,
} as unknown as Logger;
