/**
 * `npm run build`: the sources as JavaScript with types, in `dist/`, for publishing. A checkout needs no build, as Node
 * runs TypeScript itself; it does not do so below `node_modules`.
 */
import { globSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, run } from './run.ts';

rmSync(join(root, 'dist'), { recursive: true, force: true });
const { ok, output } = await run('tsc', ['-p', 'tsconfig.build.json'], { limitSeconds: 180 });
if (!ok) {
  console.error(output);
  process.exit(1);
}
flatten(join(root, 'dist'));
const files = globSync('**/*.js', { cwd: join(root, 'dist') });
for (const file of files) rewriteUrls(join(root, 'dist', file));
console.log(`built ${files.length} files into dist/`);

/** The compiler rewrites the extension in imports, not in `new URL('./worker.ts', import.meta.url)`. */
function rewriteUrls(path: string): void {
  const text = readFileSync(path, 'utf8');
  const rewritten = text.replace(/(new URL\(\s*['"]\.{1,2}\/[^'"]+)\.ts(['"],\s*import\.meta\.url)/g, '$1.js$2');
  if (rewritten !== text) writeFileSync(path, rewritten);
}

/** `src/` becomes `dist/` itself, and `migrations/`, which lies beside `src/`, a folder in it: paths between them change. */
function flatten(dist: string): void {
  for (const name of readdirSync(join(dist, 'src'))) renameSync(join(dist, 'src', name), join(dist, name));
  rmdirSync(join(dist, 'src'));
  for (const file of globSync('**/*.{js,d.ts}', { cwd: dist })) {
    const path = join(dist, file);
    const text = readFileSync(path, 'utf8');
    const moved = file.startsWith('migrations')
      ? text.replaceAll(/(['"])\.\.\/src\//g, '$1../')
      : text.replaceAll(/(['"])\.\.\/((?:\.\.\/)+migrations\/)/g, '$1$2');
    if (moved !== text) writeFileSync(path, moved);
  }
}
