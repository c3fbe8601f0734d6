//! The simulator's service on Baton's public listener.
//!
//! The switch, which implements the service, is a process of its own on a port that clients don't know. Each call is passed on
//! unchanged, with the caller's token: the switch does the authorization.

use baton_api::simulator::v1 as proto;
use baton_api::simulator::v1::simulator_service_client::SimulatorServiceClient;
use baton_api::simulator::v1::simulator_service_server::{SimulatorService, SimulatorServiceServer};
use baton_runtime::client::GrpcChannel;
use tonic::{Request, Response, Status, Streaming};

const TOKEN: &str = "authorization";

pub(crate) struct SimulatorForward(SimulatorServiceClient<GrpcChannel>);

impl SimulatorForward {
    /// The service to mount; the channel has no token of its own.
    pub(crate) fn server(switch: GrpcChannel) -> SimulatorServiceServer<Self> {
        SimulatorServiceServer::new(Self(SimulatorServiceClient::new(switch)))
    }
}

fn forwarded<T>(request: Request<T>) -> Request<T> {
    let (metadata, _, message) = request.into_parts();
    let mut forwarded = Request::new(message);
    if let Some(token) = metadata.get(TOKEN) {
        forwarded.metadata_mut().insert(TOKEN, token.clone());
    }
    forwarded
}

macro_rules! forward {
    ($($method:ident: $request:ident -> $response:ident),+ $(,)?) => {
        #[tonic::async_trait]
        impl SimulatorService for SimulatorForward {
            type GetHeardStream = Streaming<proto::GetHeardResponse>;
            type GetMessageStream = Streaming<proto::GetMessageResponse>;

            async fn get_heard(
                &self,
                request: Request<proto::GetHeardRequest>,
            ) -> Result<Response<Self::GetHeardStream>, Status> {
                self.0.clone().get_heard(forwarded(request)).await
            }

            async fn get_message(
                &self,
                request: Request<proto::GetMessageRequest>,
            ) -> Result<Response<Self::GetMessageStream>, Status> {
                self.0.clone().get_message(forwarded(request)).await
            }

            $(async fn $method(
                &self,
                request: Request<proto::$request>,
            ) -> Result<Response<proto::$response>, Status> {
                self.0.clone().$method(forwarded(request)).await
            })+
        }
    };
}

forward! {
    put_phone: PutPhoneRequest -> PutPhoneResponse,
    list_phones: ListPhonesRequest -> ListPhonesResponse,
    delete_phone: DeletePhoneRequest -> DeletePhoneResponse,
    place_call: PlaceCallRequest -> PlaceCallResponse,
    answer_phone: AnswerPhoneRequest -> AnswerPhoneResponse,
    decline_phone: DeclinePhoneRequest -> DeclinePhoneResponse,
    hang_up_phone: HangUpPhoneRequest -> HangUpPhoneResponse,
    mute_phone: MutePhoneRequest -> MutePhoneResponse,
    list_heard: ListHeardRequest -> ListHeardResponse,
    get_ledger: GetLedgerRequest -> GetLedgerResponse,
    get_stats: GetStatsRequest -> GetStatsResponse,
}
