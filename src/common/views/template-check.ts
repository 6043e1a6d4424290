import Handlebars from 'handlebars';
import { assertTranslated, type Catalogues } from './catalogues.js';
import { variants } from './contexts.js';

type PartialCall = hbs.AST.PartialStatement | hbs.AST.PartialBlockStatement;
type HelperCall = hbs.AST.MustacheStatement | hbs.AST.SubExpression;

/**
 * Checks a template at start, so that a missing layout, or a text missing in one language, stops the start
 * instead of failing for the first reader.
 */
export class TemplateCheck extends Handlebars.Visitor {
  constructor(
    private readonly catalogues: Catalogues,
    private readonly partials: readonly string[],
  ) {
    super();
  }

  override PartialStatement(call: hbs.AST.PartialStatement): void {
    this.checkPartial(call);
    super.PartialStatement(call);
  }

  override PartialBlockStatement(call: hbs.AST.PartialBlockStatement): void {
    this.checkPartial(call);
    super.PartialBlockStatement(call);
  }

  override MustacheStatement(call: hbs.AST.MustacheStatement): void {
    this.checkCall(call);
    super.MustacheStatement(call);
  }

  override SubExpression(call: hbs.AST.SubExpression): void {
    this.checkCall(call);
    super.SubExpression(call);
  }

  private checkPartial(call: PartialCall): void {
    const name = 'original' in call.name ? String(call.name.original) : '';
    if (name !== '@partial-block' && !this.partials.includes(name)) throw new Error(`No partial "${name}"`);
  }

  private checkCall(call: HelperCall): void {
    const name = 'original' in call.path ? call.path.original : undefined;
    const placeholders = () => call.hash?.pairs.map((pair) => pair.key) ?? [];
    if (name === 't') assertTranslated(this.catalogues, literalKey(call), placeholders());
    if (name === 'tVariant') {
      const prefix = literalKey(call);
      for (const variant of variantsOf(prefix))
        assertTranslated(this.catalogues, `${prefix}.${variant}`, placeholders());
    }
  }
}

function literalKey(call: HelperCall): string {
  const [key] = call.params;
  if (key?.type === 'StringLiteral') return (key as hbs.AST.StringLiteral).value;
  throw new Error(`A text's key must be written out (line ${call.loc.start.line})`);
}

function variantsOf(prefix: string): readonly string[] {
  const list = Object.entries(variants).find(([key]) => key === prefix)?.[1];
  if (!list) throw new Error(`"${prefix}" has no list of variants`);
  return list;
}
