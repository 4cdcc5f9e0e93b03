#!/bin/sh
# GNU parallel starts one curl a row. parallel_curl.sh SHEET RESULTS URL AT_ONCE
exec parallel --will-cite --jobs "$4" --colsep , --delimiter '\r\n' --header : --joblog "$2.log" --quote \
  curl --silent --show-error --fail \
  --header 'x-api-key: key' --header 'content-type: application/json' \
  --data '{"contact_id":"{contact_id}","agent_id":"agent","from_number_id":"number","additional_data":[{"key":"name","value":"{name}"},{"key":"phone","value":"{phone}"},{"key":"email","value":"{email}"},{"key":"product","value":"{product}"},{"key":"city","value":"{city}"},{"key":"policy","value":"{policy}"},{"key":"amount","value":"{amount}"},{"key":"days_late","value":"{days_late}"},{"key":"instalments","value":"{instalments}"},{"key":"due_date","value":"{due_date}"},{"key":"note","value":"{note}"}]}' \
  "$3/v1/calls/single-contact-call" :::: "$1" > "$2"
