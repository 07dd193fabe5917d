import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { root } from '../../scripts/run.ts';

const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const pages = globSync(['*.md', '{docs,test,bench}/**/*.md'], { cwd: root }).filter(
  (path) => !path.includes('fixtures'),
);

test('every link between pages leads somewhere', () => {
  const broken = pages.flatMap((page) =>
    [...read(page).matchAll(/\]\(([^)#\s]+)(#[^)]*)?\)/g)]
      .map((match) => match[1] as string)
      .filter((target) => !/^[a-z]+:/.test(target) && !existsSync(join(root, dirname(page), target)))
      .map((target) => `${page}: ${target}`),
  );
  expect(pages).toContain('README.md');
  expect(broken).toEqual([]);
});

describe('the decisions', () => {
  const records = globSync('docs/adr/*.md', { cwd: root }).sort();

  test('are numbered without a gap', () => {
    const numbers = records.map((path) => Number(/(\d{4})-/.exec(path)?.[1]));
    expect(numbers).toEqual(numbers.map((_, i) => i + 1));
  });

  test.each(records)('%s has context, decision, consequences, and what would change it', (path) => {
    const headings = [...read(path).matchAll(/^## (.*)$/gm)].map((match) => match[1]);
    expect(headings).toEqual(['Context', 'Decision', 'Consequences', 'What would change our mind']);
  });
});

describe('the README', () => {
  const readme = read('README.md');

  test('names every command of the program and no other', () => {
    const program = read('src/cli/main.ts');
    const commands = [...program.matchAll(/import \{ (\w+)Command \}/g)].map((match) => match[1]);
    const named = [...readme.matchAll(/^\| `(\w+)/gm)].map((match) => match[1]);
    expect(named.sort()).toEqual(commands.sort());
  });

  test('names every entry point of the package', () => {
    const { exports } = JSON.parse(read('package.json')) as { exports: Record<string, unknown> };
    const entries = Object.keys(exports).filter((entry) => entry !== './package.json');
    expect(entries.filter((entry) => !readme.includes(entry.replace('.', 'hotledger')))).toEqual([]);
  });

  test('shows TypeScript that compiles against the sources', { timeout: 120_000 }, () => {
    const examples = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1] as string);
    expect(examples.length).toBeGreaterThan(0);
    expect(examples.flatMap(complaintsAbout)).toEqual([]);
  });
});

/** What the compiler says of an example, with the package's entry points read from their sources. */
function complaintsAbout(example: string): readonly string[] {
  const { exports } = JSON.parse(read('package.json')) as { exports: Record<string, { default?: string }> };
  const paths: Record<string, string[]> = {};
  for (const [entry, { default: built }] of Object.entries(exports)) {
    const source = built?.replace('./dist/', './src/').replace(/\.js$/, '.ts');
    if (source !== undefined) paths[entry.replace('.', 'hotledger')] = [source];
  }
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (path) => readFileSync(path, 'utf8'));
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  // Beside the sources, so that packages resolve; it exists for the compiler only.
  const path = join(root, 'example.ts');
  const compilerOptions: ts.CompilerOptions = { ...options, paths, skipLibCheck: true };
  const disk = ts.createCompilerHost(compilerOptions);
  const program = ts.createProgram([path], compilerOptions, {
    ...disk,
    fileExists: (name) => name === path || disk.fileExists(name),
    readFile: (name) => (name === path ? example : disk.readFile(name)),
    getSourceFile: (name, version, ...rest) =>
      name === path ? ts.createSourceFile(name, example, version) : disk.getSourceFile(name, version, ...rest),
  });
  const file = program.getSourceFile(path);
  return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)].map(({ messageText }) =>
    ts.flattenDiagnosticMessageText(messageText, '\n'),
  );
}
