import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { parseScenario, playScenario } from './scenario.ts';

const here = import.meta.dirname;
const files = readdirSync(here).filter((file) => file.endsWith('.txt'));

it('there are scenarios', () => {
  expect(files.length).toBeGreaterThanOrEqual(20);
});

it.each(files)('%s goes as it is written', (file) => {
  const path = `${here}/${file}`;
  const text = readFileSync(path, 'utf8');
  const played = playScenario(parseScenario(text));
  if (process.env['UPDATE'] === '1') writeFileSync(path, played);
  else expect(played).toBe(text);
});
