import autocannon from 'autocannon';

const TIMEOUT_SECONDS = 30;

/**
 * Sends requests on all connections, each the next one as soon as it has a response.
 * @param next builds a request: method, path, headers, body and optionally `onAnswer`
 * @throws Error when a request is refused or fails
 */
export async function runLoad(url, next, { connections, seconds }) {
  const result = await autocannon({
    url,
    connections,
    duration: seconds,
    sampleInt: 100,
    timeout: TIMEOUT_SECONDS,
    requests: undefined,
    setupClient: (client) => client.setRequests([madeRequest(next)]),
  });
  const { errors, timeouts, non2xx, duration, latency } = result;
  if (errors + timeouts + non2xx > 0)
    throw new Error(`${non2xx} refused, ${errors} failed, ${timeouts} timed out`);
  const requests = result['2xx'];
  return { requests, perSecond: requests / duration, p50Ms: latency.p50, p99Ms: latency.p99 };
}

/** Built when it is sent, since it may depend on earlier responses. */
function madeRequest(next) {
  let made;
  return {
    method: 'GET',
    path: '/',
    setupRequest: (request) => {
      made = next();
      return { ...request, ...made };
    },
    onResponse: (status, body) => {
      if (status === 200) made.onAnswer?.(body);
    },
  };
}
