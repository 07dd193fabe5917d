/**
 * The program as it was before event schema 2: a copy of the sources in which the forms and the step of schema 2 are not
 * there, and the newest schema that it knows is 1. Everything else is the same, as a release before would be.
 */
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { placesOf, replaceText, type Replacement } from '../traps/tree-copy.ts';

const ROOT = join(import.meta.dirname, '..', '..');

const WITHOUT_SCHEMA_2: readonly Replacement[] = [
  {
    file: 'src/ledger/newest-schema.ts',
    find: 'export const NEWEST_EVENT_SCHEMA = 2;',
    replace: 'export const NEWEST_EVENT_SCHEMA = 1;',
  },
  { file: 'src/ledger/upcast.ts', find: "import { upcastTo2 } from './upcast-to-2.ts';", replace: '' },
  { file: 'src/ledger/upcast.ts', find: '  if (schema < 2) form = upcastTo2(form);', replace: '' },
  { file: 'src/ledger/event-forms.ts', find: '[FORMS_1, FORMS_2]', replace: '[FORMS_1]' },
];

/** @returns its launcher; gone after the test */
export function olderProgram(): string {
  const directory = mkdtempSync(join(tmpdir(), 'hotledger-older-'));
  for (const name of ['bin', 'src', 'package.json'])
    cpSync(join(ROOT, name), join(directory, name), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
  for (const replacement of WITHOUT_SCHEMA_2) {
    if (placesOf(directory, replacement) !== 1)
      throw new Error(`${replacement.find} is not once in ${replacement.file}`);
    replaceText(directory, replacement);
  }
  rmSync(join(directory, 'src/ledger/upcast-to-2.ts'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return join(directory, 'bin', 'hotledger.js');
}
