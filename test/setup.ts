/**
 * Runs before every test file. Property tests are reproducible: one seed, printed by fast-check on failure and set by
 * SEED; `npm run test:long` tries more cases (LONG=1) where a test does not state its own number.
 */
import fc from 'fast-check';

fc.configureGlobal({
  seed: Number(process.env['SEED'] ?? 1),
  numRuns: process.env['LONG'] === '1' ? 500 : 100,
});
