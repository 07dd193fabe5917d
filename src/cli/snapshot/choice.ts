/** What the commands about snapshots have in common: which node is meant, and which of its snapshots. */
import { codedError } from '../../base/result.ts';
import type { NodeConfig } from '../../node/config.ts';
import { SnapshotFolder } from '../../node/snapshot/snapshot-folder.ts';
import { snapshotInFile, snapshotInFolder, type SnapshotSource } from '../../node/snapshot/snapshot-source.ts';
import type { SnapshotFacts } from '../../node/snapshot/open-snapshot.ts';
import { configFileOf, configOf } from '../options.ts';
import { megabytes, type Fact } from '../print.ts';
import type { Terminal } from '../terminal.ts';

export interface ConfigChoice {
  readonly config?: string;
  readonly json?: true;
}

/** @throws CodedError `usage`, and as `loadConfig` does; `snapshot-crash-only` of a member of a Raft cluster */
export async function nodeOf(choice: ConfigChoice, terminal: Terminal): Promise<NodeConfig> {
  const file = configFileOf(choice, terminal);
  if (file === undefined) throw codedError('usage', 'name the node with --config FILE, or set HOTLEDGER_CONFIG');
  const config = await configOf(file, {}, terminal);
  if (config.raft === undefined) return config;
  const { crashOnly } = await import('../../node/snapshot/stopped-ledger.ts');
  throw crashOnly();
}

/** The file that is named, or the snapshot of the height, or the newest. @throws CodedError `snapshot-missing` and others of a source */
export async function sourceOf(
  { dataDirectory }: Pick<NodeConfig, 'dataDirectory'>,
  { file, height }: { readonly file: string | undefined; readonly height: number | undefined },
): Promise<SnapshotSource> {
  if (file !== undefined) return snapshotInFile(file);
  const folder = SnapshotFolder.of(dataDirectory);
  const newest = height ?? (await folder.heights())[0];
  if (newest === undefined) {
    throw codedError('snapshot-missing', 'there is no snapshot', { path: folder.directory });
  }
  return snapshotInFolder(folder, newest);
}

export function factsShown({ blockId, bytes, chunks, entries, height, stateRoot }: SnapshotFacts): readonly Fact[] {
  return [
    ['height', height],
    ['block', blockId],
    ['state root', stateRoot],
    ['entries', entries],
    ['size', `${megabytes(bytes)} in ${chunks} chunks`],
  ];
}
