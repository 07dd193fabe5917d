/**
 * Finds the error codes of a TypeScript source: what `refuse` and `codedError` are called with, the `code` of a refusal
 * or error written out, and what is passed on through a function that has a parameter called `code`.
 */
import ts from 'typescript';

export interface Source {
  readonly path: string;
  readonly text: string;
}

export interface CodeUse {
  readonly code: string;
  /** `path:line` */
  readonly where: string;
}

export interface CodesFound {
  readonly uses: readonly CodeUse[];
  /** Where a code is neither a literal nor handed in: nothing can be said about it. */
  readonly opaque: readonly string[];
}

/** What takes a code, with its position among the parameters: a function by its name, a method by `.` and its name. */
type Takers = ReadonlyMap<string, number>;

export function findCodes(sources: readonly Source[]): CodesFound {
  const parsed = sources.map(({ path, text }) => ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true));
  const takers = new Map([
    ['refuse', 0],
    ['codedError', 0],
  ]);
  for (const file of parsed) visit(file, (node) => noteTaker(node, takers));
  const uses: CodeUse[] = [];
  const opaque: string[] = [];
  for (const file of parsed) {
    visit(file, (node) => {
      const expression = codeExpression(node, takers);
      if (expression === undefined) return;
      const where = `${file.fileName}:${file.getLineAndCharacterOfPosition(expression.getStart()).line + 1}`;
      const literals = literalsOf(expression);
      // An object may hold a code that came from elsewhere: over the wire, or of another library's error.
      if (literals === undefined) opaque.push(...(ts.isCallExpression(node) ? [where] : []));
      else
        uses.push(
          ...literals.filter((code) => code !== '' || ts.isCallExpression(node)).map((code) => ({ code, where })),
        );
    });
  }
  return { uses, opaque };
}

function visit(node: ts.Node, see: (node: ts.Node) => void): void {
  see(node);
  node.forEachChild((child) => visit(child, see));
}

function noteTaker(node: ts.Node, takers: Map<string, number>): void {
  if (!ts.isFunctionDeclaration(node) && !ts.isMethodDeclaration(node) && !ts.isArrowFunction(node)) return;
  const position = node.parameters.findIndex(({ name, type }) => isNamed(name, 'code') && !isNumeric(type));
  if (position < 0) return;
  const name = ts.isArrowFunction(node) && ts.isVariableDeclaration(node.parent) ? node.parent.name : node.name;
  if (name === undefined || !(ts.isIdentifier(name) || ts.isPrivateIdentifier(name))) return;
  takers.set(ts.isMethodDeclaration(node) ? `.${name.text}` : name.text, position);
}

/** Exit statuses are called code too. */
function isNumeric(type: ts.TypeNode | undefined): boolean {
  return type !== undefined && /\bnumber\b/.test(type.getText());
}

function isNamed(node: ts.Node, name: string): boolean {
  return ts.isIdentifier(node) && node.text === name;
}

function codeExpression(node: ts.Node, takers: Takers): ts.Expression | undefined {
  if (ts.isCallExpression(node)) {
    const { expression: callee } = node;
    const method = ts.isPropertyAccessExpression(callee) ? `.${callee.name.text}` : undefined;
    const named = method ?? (ts.isIdentifier(callee) ? callee.text : undefined);
    const position = named === undefined ? undefined : takers.get(named);
    return position === undefined ? undefined : node.arguments[position];
  }
  if (ts.isPropertyAssignment(node) && isNamed(node.name, 'code')) {
    const beside = node.parent.properties;
    return beside.some(({ name }) => name !== undefined && isNamed(name, 'message')) ? node.initializer : undefined;
  }
  if (ts.isPropertyDeclaration(node) && isNamed(node.name, 'code')) return node.initializer;
  return undefined;
}

/** @returns none when the code is handed in from elsewhere, undefined when it cannot be read */
function literalsOf(expression: ts.Expression): readonly string[] | undefined {
  if (ts.isStringLiteralLike(expression)) return [expression.text];
  if (ts.isParenthesizedExpression(expression) || ts.isAsExpression(expression))
    return literalsOf(expression.expression);
  if (ts.isConditionalExpression(expression)) {
    const [whenTrue, whenFalse] = [literalsOf(expression.whenTrue), literalsOf(expression.whenFalse)];
    return whenTrue && whenFalse && [...whenTrue, ...whenFalse];
  }
  if (ts.isBinaryExpression(expression) && expression.operatorToken.kind === ts.SyntaxKind.QuestionQuestionToken) {
    const [left, right] = [literalsOf(expression.left), literalsOf(expression.right)];
    return left && right && [...left, ...right];
  }
  if (isNamed(expression, 'code')) return [];
  if (ts.isPropertyAccessExpression(expression) && isNamed(expression.name, 'code')) return [];
  return undefined;
}
