import { globSync, readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { EXIT } from '../../src/cli/exit.ts';
import { parseConfig } from '../../src/node/config.ts';
import { RETIRED_SETTINGS } from '../../src/node/config-environment.ts';
import { programFor } from '../../src/cli/main.ts';
import { run, terminalIn } from './terminal.ts';

const read = (name: string): string => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');

/** All defaults of all sections. */
const LEAST = { genesis: 'g', dataDirectory: 'd', raft: { advertise: 'a.example:4101' } };

test('docs/configuration.md has a row for every setting, with its default', () => {
  const rows = new Map(
    [...read('configuration.md').matchAll(/^\| `([a-zA-Z.]+)` \| (.*?) \|/gm)].map(([, key, value]) => [key, value]),
  );
  const { join, log, limits, pacemaker, pruning, raft, snapshots, submission, ...top } = parseConfig(LEAST);
  const sections = Object.entries({ join, log, limits, pacemaker, pruning, raft, snapshots, submission }).flatMap(
    ([section, settings]) =>
      Object.entries(settings ?? {}).map(([key, value]) => [`${section}.${key}`, value] as const),
  );
  const required = new Set(['genesis', 'dataDirectory', 'identityKeyFile', 'raft.advertise']);
  for (const [key, value] of [...Object.entries(top), ...sections]) {
    const text =
      typeof value === 'number' ? String(value) : `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
    expect(rows.has(key), key).toBe(true);
    if (!required.has(key)) expect([key, rows.get(key)]).toEqual([key, text]);
  }
  for (const { variable, flag } of RETIRED_SETTINGS) {
    expect(read('configuration.md')).toContain(`\`${variable}\``);
    expect(read('configuration.md')).toContain(`\`${flag}\``);
  }
});

test('every setting is read by the node', () => {
  const root = new URL('../../src/', import.meta.url);
  const sources = globSync(['node/**/*.ts', 'observability/*.ts'], { cwd: root }).filter(
    (file) => !/config/.test(file),
  );
  expect(sources.length).toBeGreaterThan(30);
  const text = sources.map((file) => readFileSync(new URL(file, root), 'utf8')).join('\n');
  const { join, log, limits, pacemaker, pruning, raft, snapshots, submission, ...top } = parseConfig(LEAST);
  for (const key of [join, log, limits, pacemaker, pruning, raft ?? {}, snapshots, submission, top].flatMap(
    Object.keys,
  )) {
    expect(text, key).toMatch(
      new RegExp(`(config|join|submission|limits|pacemaker|snapshots|raft|options|source)\\.${key}\\b|[{,] ${key}\\b`),
    );
  }
});

test('docs/cli.md has every command and every exit code', async () => {
  const page = read('cli.md');
  const { out } = await run(['--help'], '/');
  const commands = [...out.matchAll(/^ {2}([a-z]+) [[<]/gm)].map(([, name]) => name).filter((name) => name !== 'help');
  expect(commands.length).toBeGreaterThan(10);
  for (const command of commands) expect(page).toContain(`| \`${command}\` |`);
  for (const code of Object.values(EXIT)) expect(page).toMatch(new RegExp(`^\\| ${code} \\|`, 'm'));
});

/** Command lines in a text, as words: without environment, pipes, and what the shell would do. */
function commandLines(text: string): string[][] {
  const joined = text.replaceAll(/\\\n\s*/g, ' ');
  const lines = joined.matchAll(/(?:^|[`\s])(?:hotledger|npm start --|npm exec hotledger --) (.+)/gm);
  return [...lines].map(([whole, rest]) => {
    const line = (rest ?? '')
      .replace(/`.*$/, '')
      .replace(/ [|>] .*$/, '')
      .replace(/:$/, '');
    const words = [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, word]) => quoted ?? word ?? '');
    return whole.includes('npm start') ? ['devnet', ...words] : words;
  });
}

/** In the blocks of docs/operations; what stands within a sentence names a command without its arguments. */
async function operationsLines(): Promise<readonly string[]> {
  const files = (await readdir(new URL('../../docs/operations/', import.meta.url))).sort();
  const lines = files.flatMap((file) => read(`operations/${file}`).match(/^ *hotledger .*$/gm) ?? []);
  return lines.map((line) => line.trim().replace(/ +(#|\|\|).*$/, ''));
}

/** Those that do something themselves. */
function withSubcommands(command: Command): Command[] {
  const below = command.commands.flatMap(withSubcommands);
  return command.commands.length > 0 && command.name() !== 'list' ? below : [command, ...below];
}

test.each([
  ['raft', 8],
  ['migrate', 3],
])('docs/cli.md has every command of "%s"', (group, least) => {
  const above = programFor(terminalIn('/')).commands.find((command) => command.name() === group);
  const names = above?.commands.map((command) => command.name()) ?? [];
  expect(names.length).toBeGreaterThan(least);
  for (const name of names) expect(read('cli.md')).toContain(`${group} ${name}`);
});

test('every command line in the help, README and docs has flags and arguments that exist', async () => {
  const names = programFor(terminalIn('/')).commands.map((command) => command.name());
  const raft = programFor(terminalIn('/')).commands.find((command) => command.name() === 'raft')?.commands ?? [];
  const withHelp = [...names.map((name) => [name]), ...raft.map((command) => ['raft', command.name()])];
  const help = await Promise.all(
    withHelp.map(async (words) => (await run([...words, '--help'], '/')).out.split(/^Examples?:/m)[1]),
  );
  const pages = [readFileSync(new URL('../../README.md', import.meta.url), 'utf8'), read('cli.md'), ...help];
  const operations = await operationsLines();
  expect(operations.length).toBeGreaterThan(25);
  const lines = [...pages, operations.join('\n')]
    .flatMap((page) => commandLines(page ?? ''))
    .filter(([name]) => names.includes(name ?? ''));
  expect(lines.length).toBeGreaterThan(50);
  for (const argv of lines) {
    const errors: string[] = [];
    const program = programFor({ ...terminalIn('/'), err: (line) => errors.push(line) });
    for (const command of withSubcommands(program)) command.action(() => undefined);
    await program.parseAsync(argv, { from: 'user' }).catch(() => undefined);
    expect([argv.join(' '), ...errors]).toEqual([argv.join(' ')]);
  }
});
