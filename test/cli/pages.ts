/** The pages of docs/operations as a test reads them. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from '../../scripts/run.ts';

export function page(name: string): Promise<string> {
  return readFile(join(root, 'docs', 'operations', name), 'utf8');
}

/** The blocks that are marked as commands, in their order. */
export function commandBlocks(text: string): readonly string[] {
  return [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) => block ?? '');
}
