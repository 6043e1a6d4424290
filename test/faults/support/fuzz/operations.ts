import { resolve, type Document, type Operation, type Schema } from '../../../contract/document.js';
import { unpublishedAliases } from '../../../contract/reference.js';

/** One operation of the document, with what is needed to call it. */
export interface PublishedOperation {
  /** `METHOD /path/{parameter}` */
  route: string;
  method: string;
  path: string;
  operation: Operation;
  /** Media types that the body may have; none where there is no body. */
  bodyTypes: string[];
  bodySchema: Schema | null;
  /** Methods that the path does not answer. */
  otherMethods: string[];
  /** As `Allow` has them for those: without the HEAD that goes with every GET. */
  methods: string[];
}

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND'];

export function operationsOf(document: Document): PublishedOperation[] {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([key, operation]) => {
      const method = key.toUpperCase();
      const content = operation.requestBody?.content ?? {};
      const [body] = Object.values(content);
      const methods = METHODS.filter(
        (other) => other.toLowerCase() in item || unpublishedAliases.includes(`${other} ${path}`),
      );
      return {
        route: `${method} ${path}`,
        method,
        path,
        operation,
        bodyTypes: Object.keys(content),
        bodySchema: body ? resolve(document, body.schema) : null,
        otherMethods: METHODS.filter((other) => !methods.includes(other)),
        methods,
      };
    }),
  );
}
