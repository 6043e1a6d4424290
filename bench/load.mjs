import autocannon from 'autocannon';

const TIMEOUT_SECONDS = 30;

/**
 * As many requests as the connections take, each the next one's when its answer is there.
 * @param next makes a request: method, path, headers, body and, for what follows from it, `onAnswer`
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

/** Made when it is sent, from what was answered before. */
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
