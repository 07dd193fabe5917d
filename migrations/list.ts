/** Every step there is, in the order in which they are made. One that is in a release is never edited or taken away. */
import { step as logFloor } from './0002-log-floor.ts';
import { step as checkedRecords } from './0003-checked-records.ts';
import type { MigrationStep } from './step.ts';

export const STEPS: readonly MigrationStep[] = [logFloor, checkedRecords];
