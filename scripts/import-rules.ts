/**
 * Who may import whom, checked over every file of `src/` and `migrations/`. Run by `npm test`, and by
 * `npm run imports` alone. A run that saw fewer modules than there are files is a failure and not a success:
 * dependency-cruiser reports "no violations (0 modules)" when it cannot read TypeScript.
 */
import { existsSync, globSync } from 'node:fs';
import { join } from 'node:path';
import { cruise, type ICruiseResult, type IForbiddenRuleType } from 'dependency-cruiser';

/** A room and what it may import, itself apart. */
export const rooms: Readonly<Record<string, readonly string[]>> = {
  base: [],
  store: ['base'],
  qc: ['base'],
  ledger: ['base', 'qc', 'store'],
  consensus: ['base', 'ledger', 'qc'],
  hotstuff: ['base', 'consensus', 'ledger', 'qc'],
  raft: ['base', 'consensus', 'ledger', 'qc'],
  projections: ['base', 'ledger', 'store'],
  net: ['base', 'ledger', 'qc'],
  observability: ['base'],
  node: ['base', 'store', 'qc', 'ledger', 'consensus', 'hotstuff', 'raft', 'projections', 'net', 'observability'],
  // What the commands and the HTTP API show is made of what node/ is made of; engines they reach through node/ only.
  api: ['base', 'store', 'qc', 'ledger', 'projections', 'net', 'observability', 'node'],
  cli: ['base', 'store', 'qc', 'ledger', 'projections', 'net', 'observability', 'node'],
};

/** Packages that have one home, so that replacing one is a change in one room. */
const homes: readonly { readonly packages: string; readonly home: string }[] = [
  { packages: '(libp2p|@libp2p/[^/]+)', home: '^src/net/' },
  { packages: 'classic-level', home: '^src/store/' },
  { packages: '@chainsafe/blst', home: '^src/qc/scheme-native' },
  { packages: 'sodium-native', home: '^src/node/ed25519' },
  // The reference that tests hold the codec to, and nothing more.
  { packages: 'msgpackr', home: '^test/' },
  { packages: '(fastify|@fastify/[^/]+)', home: '^src/(api/|node/control)' },
  { packages: '(commander|cli-progress)', home: '^src/cli/' },
  { packages: '(pino|prom-client|@opentelemetry/[^/]+)', home: '^src/observability/' },
];

/** All that the pure rooms may take from outside: synchronous, pure JavaScript, without input or output. */
const purePackages = '(@noble/(curves|hashes)|canonicalize|multiformats|@multiformats/multiaddr|zod)';

function forbidden(): IForbiddenRuleType[] {
  const between = Object.entries(rooms).map(([room, allowed]) => ({
    name: `imports-of-${room}`,
    comment: `${room} may import ${allowed.join(', ') || 'nothing of src'}`,
    severity: 'error' as const,
    from: { path: `^src/${room}/` },
    to: {
      path: '^(src|migrations|bin|test|bench|scripts)/',
      // Whoever runs the migrations is in the shell; they are no room that others build on.
      pathNot: `^src/(${[room, ...allowed].join('|')})/${room === 'node' ? '|^migrations/' : ''}`,
    },
  }));
  const homely = homes.map(({ packages, home }) => ({
    name: `home-of-${packages.replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '')}`,
    severity: 'error' as const,
    from: { path: '^(src|migrations)/', pathNot: home },
    to: { path: `(^|/)node_modules/${packages}(/|$)|^${packages}(/|$)` },
  }));
  return [
    ...between,
    ...homely,
    {
      name: 'room-is-known',
      comment: 'a new room needs a line in this table',
      severity: 'error',
      from: { path: '^src/', pathNot: `^src/(${Object.keys(rooms).join('|')})/` },
      to: {},
    },
    {
      name: 'ledger-takes-types-of-store',
      severity: 'error',
      from: { path: '^src/ledger/', pathNot: '^src/ledger/block-log' },
      to: { path: '^src/store/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'imports-of-migrations',
      severity: 'error',
      from: { path: '^migrations/' },
      to: { path: '^(src|test|bench|scripts)/', pathNot: '^src/(base|store)/' },
    },
    {
      name: 'packages-of-the-core',
      comment: 'the pure rooms take synchronous, pure packages only',
      severity: 'error',
      from: { path: '^src/(base|consensus|hotstuff|raft|qc|ledger)/', pathNot: '^src/qc/scheme-native' },
      to: { path: 'node_modules/', pathNot: `node_modules/${purePackages}/` },
    },
    {
      name: 'reader-runs-anywhere',
      comment: 'the verified read needs no native library and no store, so that it runs in a browser',
      severity: 'error',
      from: { path: '^src/ledger/verified-read' },
      to: { path: '^src/(store/|ledger/block-log|qc/(scheme-native|default-scheme))', reachable: true },
    },
    { name: 'no-cycle', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-missing-file', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'no-dev-dependency',
      comment: 'what src imports is a dependency of the package',
      severity: 'error',
      from: { path: '^(src|migrations)/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
  ];
}

export interface ImportReport {
  readonly files: number;
  readonly modules: number;
  /** `rule: from -> to`, sorted. */
  readonly violations: readonly string[];
}

/**
 * @param root the folder that holds `src/`
 * @throws Error when fewer modules were seen than there are files
 */
export async function checkImports(root: string): Promise<ImportReport> {
  const folders = ['src', 'migrations'].filter((folder) => existsSync(join(root, folder)));
  const files = globSync(
    folders.map((folder) => `${folder}/**/*.ts`),
    { cwd: root },
  );
  const { output } = await cruise(
    folders,
    {
      baseDir: root,
      validate: true,
      ruleSet: { forbidden: forbidden() },
      tsPreCompilationDeps: true,
      doNotFollow: { path: 'node_modules' },
    },
    { exportsFields: ['exports'], conditionNames: ['import', 'types', 'node', 'default'] },
  );
  const result = output as ICruiseResult;
  const seen = new Set(result.modules.map((module) => module.source.replaceAll('\\', '/')));
  const missed = files.filter((file) => !seen.has(file.replaceAll('\\', '/')));
  if (missed.length > 0) throw new Error(`the import check did not see ${missed.length} files: ${missed.join(', ')}`);
  return {
    files: files.length,
    modules: files.length - missed.length,
    violations: result.summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`).sort(),
  };
}

if (process.argv[1] === import.meta.filename) {
  const { files, violations } = await checkImports(join(import.meta.dirname, '..'));
  for (const violation of violations) console.error(violation);
  console.log(`${files} files, ${violations.length} violations of the import rules`);
  process.exitCode = violations.length === 0 ? 0 : 1;
}
