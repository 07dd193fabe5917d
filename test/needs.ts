/**
 * What a test needs from the machine (a free port range, a system tool, a kernel feature). On a user's machine a test
 * without it is left out, with a line that says so; with REQUIRE_ALL=1, as in continuous integration, it fails.
 *
 * @param what for a reader: `'network namespaces'`
 * @param required whether something else than REQUIRE_ALL=1 demands it
 * @returns whether the test can run: `test.runIf(needs('strace', hasStrace))('...', ...)`
 * @throws Error when it is required and missing
 */
export function needs(what: string, found: boolean, required = false): boolean {
  if (found) return true;
  if (required || process.env['REQUIRE_ALL'] === '1') throw new Error(`this test needs ${what}, which is not here`);
  process.stderr.write(`left out: ${what} is not here\n`);
  return false;
}
