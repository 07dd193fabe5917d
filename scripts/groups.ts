/**
 * The test groups, in the order in which they are reported. Every test file belongs to exactly one, by its folder
 * below `test/`; `npm test` fails when a group is absent or ran nothing.
 */
export interface Group {
  readonly name: string;
  /** Folders below `test/`. */
  readonly folders: readonly string[];
  /** Real processes and sockets: after all others, one file at a time. */
  readonly alone?: true;
  /** Its files change nothing outside of themselves, so those that one process runs share the modules they import. */
  readonly pure?: true;
}

export const groups: readonly Group[] = [
  { name: 'repository', folders: ['repository'] },
  { name: 'base', folders: ['base'], pure: true },
  { name: 'store', folders: ['store'] },
  { name: 'ledger', folders: ['ledger'], pure: true },
  { name: 'migrations', folders: ['migrations'] },
  { name: 'qc', folders: ['qc'], pure: true },
  { name: 'hotstuff', folders: ['consensus', 'hotstuff', 'traps'], pure: true },
  { name: 'raft', folders: ['raft'], pure: true },
  { name: 'projections', folders: ['projections'], pure: true },
  { name: 'net', folders: ['net'] },
  { name: 'node', folders: ['node', 'observability'] },
  { name: 'cli', folders: ['cli', 'bench'] },
  { name: 'scenarios', folders: ['scenarios'], pure: true },
  { name: 'simulator', folders: ['simulator'] },
  { name: 'twins', folders: ['twins'], pure: true },
  { name: 'fuzz', folders: ['fuzz'], pure: true },
  { name: 'interop', folders: ['interop'], alone: true },
  { name: 'e2e', folders: ['e2e'], alone: true },
];

/** Run by `npm run test:long` only. */
export const longGroup: Group = { name: 'long', folders: ['long'], alone: true };

/** @param path of a test file, relative to the root of the repository, with `/` */
export function groupOf(path: string): Group | undefined {
  return [...groups, longGroup].find((group) => group.folders.some((folder) => path.startsWith(`test/${folder}/`)));
}
