/**
 * What no reader should have to check by eye: the purity of the pure rooms, who may make a branded value, promises
 * that nobody waits for. test/repository/purity.test.ts plants a violation of each kind.
 */
import { builtinModules } from 'node:module';
import { builtinRules } from 'eslint/use-at-your-own-risk';
import tseslint from 'typescript-eslint';

/** The core: the same inputs give the same outputs, byte for byte. The exceptions are the files that touch the machine. */
const pureFiles = {
  files: ['src/{base,consensus,hotstuff,raft,qc,ledger}/**/*.ts'],
  ignores: [
    'src/base/hash.ts', // native SHA-256: synchronous and a pure function
    'src/qc/scheme-native.ts', // native BLS: synchronous and a pure function
    'src/qc/default-scheme.ts', // finds out at start whether the native library loads
    'src/ledger/block-log.ts', // reads and writes the store
  ],
};

const impureGlobals = {
  'an engine is told the time': ['Date', 'performance', 'Temporal'],
  'an engine is a synchronous state machine': ['Promise', 'Atomics', 'SharedArrayBuffer'],
  'an engine asks to be woken, it starts no timer': [
    'setTimeout',
    'setInterval',
    'setImmediate',
    'clearTimeout',
    'clearInterval',
    'clearImmediate',
    'queueMicrotask',
  ],
  'randomness is an input': ['crypto'],
  'what depends on the garbage collector is not reproducible': ['WeakRef', 'FinalizationRegistry'],
  'what depends on the locale is not reproducible': ['Intl'],
  'the core does no input and no output': ['process', 'console', 'fetch', 'Buffer', 'require', 'WebSocket', 'Worker'],
  'a way around the other rules': ['globalThis', 'global', 'self', 'window', 'eval', 'Function'],
};

const impureProperties = [
  { object: 'Math', property: 'random', message: 'randomness is an input' },
  ...['localeCompare', 'toLocaleString', 'toLocaleLowerCase', 'toLocaleUpperCase'].map((property) => ({
    property,
    message: 'what depends on the locale is not reproducible',
  })),
  { property: 'stack', message: 'a stack trace is not reproducible' },
];

const impureSyntax = [
  [':function[async=true]', 'an engine is a synchronous state machine: no async'],
  ['AwaitExpression', 'an engine is a synchronous state machine: no await'],
  ['ForOfStatement[await=true]', 'an engine is a synchronous state machine: no for await'],
  ['ImportExpression', 'an import that runs later is asynchronous'],
  ['TSTypeReference > Identifier[name=/^(Promise|PromiseLike|Async.*)$/]', 'no asynchronous type'],
  ['VariableDeclarator > Identifier.init[name="Math"]', 'an alias of Math hides Math.random'],
].map(([selector, message]) => ({ selector, message }));

const nodeModules = [...new Set(builtinModules.flatMap((name) => [name, `node:${name.replace(/^node:/, '')}`]))];
const impureImports = {
  paths: nodeModules.map((name) => ({ name, message: 'the core imports no node: module' })),
  patterns: [{ regex: '^(node:|timers|fs/|stream/)', message: 'the core imports no node: module' }],
};

/** Functions that say a check was made. Everybody may name the branded type; only these files may make a value of it. */
const admission = ['src/node/admit.ts', 'src/node/event-verifier.ts'];
const ownDisk = ['src/node/restore-engine.ts', 'src/hotstuff/safety-record.ts'];
/** What a Raft log has committed was checked by its leader, whose word is all there is. */
const raftLog = ['src/node/raft/ledger-machine.ts'];
const verifiedSeals = ['src/hotstuff/learning.ts'];
const brandMakers = [
  { maker: 'verifiedEvent', allowed: [...admission, ...ownDisk, ...raftLog, 'src/ledger/replay.ts'] },
  { maker: 'admitMessage', allowed: admission },
  { maker: 'certificateVerifiedBefore', allowed: [...admission, ...ownDisk, ...verifiedSeals] },
  { maker: 'timeoutCertificateVerifiedBefore', allowed: [...admission, ...ownDisk] },
  { maker: 'assembledCertificate', allowed: ['src/qc/collect.ts'] },
  { maker: 'assembledTimeoutCertificate', allowed: ['src/qc/collect.ts'] },
];

/** The files that hold the one function or check that makes a branded value. */
const brandHomes = [
  'src/ledger/verified-event.ts',
  'src/qc/certificate.ts',
  'src/qc/timeout-certificate.ts',
  'src/hotstuff/admission.ts',
  'src/node/admit.ts', // sealed blocks
];

const brandCast = {
  selector: ':matches(TSAsExpression, TSTypeAssertion) > TSTypeReference > Identifier[name=/^(Verified|Admitted)/]',
  message: 'a branded value is made only by the check that it stands for',
};

const threadEnd = {
  selector: 'CallExpression > MemberExpression.callee > Identifier.property[name="terminate"]',
  message: 'a thread that still loads its modules takes the process with it: src/node/worker-end.ts',
};

/** The types of libp2p need the compiler's `dom`; with it a variable that is missing may silently be a browser's. */
const browserGlobals = [
  ...['window', 'self', 'document', 'location', 'history', 'navigator', 'screen', 'localStorage', 'sessionStorage'],
  ...['name', 'event', 'status', 'length', 'parent', 'top', 'origin', 'closed', 'frames', 'external', 'opener'],
  ...['open', 'close', 'stop', 'print', 'find', 'focus', 'blur', 'alert', 'confirm', 'prompt', 'postMessage'],
].map((name) => ({ name, message: 'a global of browsers, which Node has not' }));

const everywhere = [
  { selector: 'CatchClause > BlockStatement[body.length=0]', message: 'an error is handled, answered or thrown on' },
  { selector: 'ExportAllDeclaration', message: 'no barrel files: name what is exported where it is' },
];

/** The built-in rules under several names, as one name can carry one set of options for a file. */
function restriction(...names) {
  return { rules: Object.fromEntries(names.map((name) => [name, builtinRules.get(`no-restricted-${name}`)])) };
}

export default tseslint.config(
  { ignores: ['dist/**', 'coverage/**', 'node_modules/**', 'test/fixtures/**', 'test/vectors/**'] },
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    plugins: {
      pure: restriction('globals', 'properties', 'syntax', 'imports'),
      brand: restriction('syntax'),
      thread: restriction('syntax'),
    },
    rules: {
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      // `void promise` is allowed: it says that nobody waits, and a rejection then stops the process as our own bug.
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      // An implementation of an asynchronous contract need not wait for anything itself.
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      eqeqeq: ['error', 'always'],
      'no-var': 'error',
      'prefer-const': 'error',
      'no-restricted-syntax': ['error', ...everywhere],
      'no-restricted-globals': ['error', ...browserGlobals],
    },
  },
  { files: ['src/**/*.ts'], ignores: ['src/cli/**'], rules: { 'no-console': 'error' } },
  { files: ['src/**/*.ts'], ignores: ['src/node/worker-end.ts'], rules: { 'thread/syntax': ['error', threadEnd] } },
  { files: ['src/**/*.ts'], ignores: brandHomes, rules: { 'brand/syntax': ['error', brandCast] } },
  ...brandMakers.map(({ maker, allowed }) => ({
    files: ['src/**/*.ts'],
    ignores: allowed,
    plugins: { [`brand-${maker.toLowerCase()}`]: restriction('imports') },
    rules: {
      [`brand-${maker.toLowerCase()}/imports`]: [
        'error',
        { patterns: [{ regex: '.', importNames: [maker], message: 'made only where the check is made' }] },
      ],
    },
  })),
  {
    ...pureFiles,
    rules: {
      'pure/globals': [
        'error',
        ...Object.entries(impureGlobals).flatMap(([message, names]) => names.map((name) => ({ name, message }))),
      ],
      'pure/properties': ['error', ...impureProperties],
      'pure/syntax': ['error', ...impureSyntax],
      'pure/imports': ['error', impureImports],
    },
  },
  {
    files: ['test/**/*.ts', 'bench/**/*.ts', 'scripts/**/*.ts'],
    rules: {
      // Tests look into answers of JSON.parse and of mocks; the assertions are the check.
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
  { files: ['**/*.js'], ...tseslint.configs.disableTypeChecked },
);
